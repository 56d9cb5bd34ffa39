# Functions that contrib/up, contrib/down and contrib/check share. Sourced by bash, never run.
# shellcheck shell=bash disable=SC2034

SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=$(nproc 2>/dev/null || echo 2)

# What each purpose needs, as Debian 12 names it.
PACKAGES_BUILD=(autoconf automake libtool pkg-config make gcc libc6-dev check libevent-dev libsofia-sip-ua-dev libpq-dev
    libsrtp2-dev libspandsp-dev libopus-dev libopusfile-dev libogg-dev liblua5.4-dev libssl-dev libjansson-dev
    libseccomp-dev)
PACKAGES_RUN=(postgresql postgresql-client python3 openssl ca-certificates asterisk-core-sounds-en-g722 asterisk-moh-opsound-g722)
PACKAGES_DEMO=(baresip-core)
PACKAGES_CHECK=(clang libclang-rt-dev shellcheck linphone-cli sip-tester xz-utils procps tshark systemd iproute2 iptables sipvicious
    opus-tools sox)

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
fail()
{
    printf 'failed: %s\n' "$*" >&2
    exit 1
}

# How to become root for a command: nothing, sudo, or a failure.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# need_packages NAME…: installs those that are missing, and says which.
need_packages()
{
    local missing=() name
    for name in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
            missing+=("$name")
        fi
    done
    if [ ${#missing[@]} = 0 ]; then
        say "packages: all ${#} that are needed are there"
        return 0
    fi
    command -v apt-get >/dev/null || fail "packages are missing and there is no apt-get here: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
        fail "packages are missing; as root, run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "packages to install: ${missing[*]}"
    # Debian makes and starts a cluster of its own, on TCP, when the server is installed: we bring our own.
    local quiet=/etc/postgresql-common/createcluster.d/tandem-no-cluster.conf
    case " ${missing[*]} " in
    *" postgresql "*)
        as_root mkdir -p "${quiet%/*}"
        printf 'create_main_cluster = false\n' | as_root tee "$quiet" >/dev/null
        ;;
    esac
    logged "apt-get update" "$LOGS/apt-update.log" as_root env DEBIAN_FRONTEND=noninteractive apt-get update
    logged "apt-get install" "$LOGS/apt-install.log" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
    as_root rm -f "$quiet"
}

# logged LABEL LOG COMMAND…: runs it with its output in LOG; shows that it lives, and on failure the end of the log.
logged()
{
    local label=$1 log=$2 began=$SECONDS child status=0 erase=''
    shift 2
    mkdir -p "${log%/*}"
    printf '%s … ' "$label"
    "$@" >"$log" 2>&1 </dev/null &
    child=$!
    if [ -t 1 ]; then
        while kill -0 "$child" 2>/dev/null; do
            printf '\r%s … %s s, %s lines ' "$label" $((SECONDS - began)) "$(wc -l <"$log")"
            sleep 1
        done
        printf '\r%s … ' "$label"
        erase=$'\033[K'
    fi
    wait "$child" || status=$?
    if [ "$status" != 0 ]; then
        say "failed after $((SECONDS - began)) s; the end of $log:"
        tail -n 30 "$log" | sed 's/^/    /'
        return "$status"
    fi
    say "done ($((SECONDS - began)) s)${erase}"
}

# build DIR [CONFIGURE-ARGUMENT…]: configures when needed, then makes everything. Targets: BUILD_TARGETS (default: all).
build()
{
    local dir=$1 wanted made newest
    shift
    wanted="$SRC/configure -q $*"
    if [ -e "$SRC/config.status" ]; then
        fail "$SRC was configured in place; run 'make distclean' there first, since this builds in $dir"
    fi
    # Two runs side by side must not both write configure.
    exec 9>"$SRC/.autoreconf.lock"
    flock 9
    newest=$(find "$SRC" -path "$SRC/build" -prune -o \( -name '*.am' -o -name configure.ac -o -name '*.m4' \) \
        ! -name aclocal.m4 -newer "$SRC/configure" -print 2>/dev/null | grep -v '/contrib/m4/l' | head -n 1 || true)
    if [ ! -x "$SRC/configure" ] || [ ! -e "$SRC/Makefile.in" ] || [ -n "$newest" ]; then
        logged "autoreconf" "$dir/autoreconf.log" autoreconf -fi "$SRC" || fail "autoreconf"
        touch "$SRC/configure"
    fi
    flock -u 9
    rm -f "$SRC/.autoreconf.lock"
    mkdir -p "$dir"
    made=$(cat "$dir/.configured" 2>/dev/null || true)
    if [ ! -e "$dir/Makefile" ] || [ "$made" != "$wanted" ]; then
        logged "configure ${dir##*/} ${*:+($*)}" "$dir/configure.log" env -C "$dir" "$SRC/configure" -q "$@" ||
            fail "configure"
        printf '%s' "$wanted" >"$dir/.configured"
    fi
    # shellcheck disable=SC2086  # several targets are several words
    logged "make ${dir##*/}" "$dir/make.log" make -C "$dir" -j"$JOBS" ${BUILD_TARGETS:-all} || fail "make in $dir"
}

# tls_certificate DIR: makes DIR/tls.pem and DIR/tls.key when they are not there: a certificate that has issued itself, for the
# names and addresses of this machine.
tls_certificate()
{
    local dir=$1 names address
    if [ -s "$dir/tls.pem" ] && [ -s "$dir/tls.key" ]; then
        return 0
    fi
    names="DNS:localhost,IP:127.0.0.1,IP:::1"
    for address in $(hostname -f 2>/dev/null) $(hostname 2>/dev/null); do
        case ,$names, in *",DNS:$address,"*) ;; *) names+=",DNS:$address" ;; esac
    done
    for address in $(hostname -I 2>/dev/null); do
        names+=",IP:${address%%%*}"
    done
    mkdir -p "$dir"
    chmod 700 "$dir"
    (
        umask 077
        printf '%s\n' '[req]' 'distinguished_name = dn' 'x509_extensions = ext' '[dn]' '[ext]' \
            'basicConstraints = critical,CA:FALSE' 'extendedKeyUsage = serverAuth,clientAuth' \
            "subjectAltName = $names" >"$dir/request.cnf"
        openssl req -x509 -config "$dir/request.cnf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256 \
            -days 3650 -subj "/O=Tandem/CN=$(hostname)" -keyout "$dir/tls.key" -out "$dir/tls.pem" 2>"$dir/request.log"
    ) || {
        cat "$dir/request.log" >&2
        fail "openssl made no certificate"
    }
    rm -f "$dir/request.cnf" "$dir/request.log"
    say "made a certificate for TLS in $dir (it has issued itself)"
}

# --- the private PostgreSQL cluster ---

pg_bin()
{
    local found
    found=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1)
    [ -n "$found" ] || fail "PostgreSQL's initdb is not under /usr/lib/postgresql"
    dirname "$found"
}

# The server refuses to run as root.
as_pg()
{
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

# pg_place HOME: prints where the cluster lives: HOME/pg, or, when the server's user cannot get there (a home below /root)
# or the socket's path would be too long, a directory of that user's own. Remembered in HOME/pg.place.
pg_place()
{
    local home=$1 place=$1/pg mark
    if [ -s "$home/pg.place" ]; then
        cat "$home/pg.place"
        return
    fi
    if [ "$(id -u)" = 0 ] && ! as_pg test -x "$home"; then
        mark=$(printf '%s' "$home" | cksum | cut -d' ' -f1)
        place=/var/lib/postgresql/tandem-$mark
    elif [ ${#place} -gt 85 ]; then
        mark=$(printf '%s' "$home" | cksum | cut -d' ' -f1)
        place=${XDG_RUNTIME_DIR:-/var/tmp}/tandem-pg-$mark
    fi
    printf '%s\n' "$place" >"$home/pg.place"
    printf '%s\n' "$place"
}

pg_running() { as_pg "$(pg_bin)/pg_ctl" -D "$1/data" status >/dev/null 2>&1; }

# pg_up PLACE: makes the cluster if it is not there, starts it if it is down. Socket only; the kernel says who connects (peer).
pg_up()
{
    local place=$1 bin me pg_user
    bin=$(pg_bin)
    me=$(id -un)
    pg_user=$me
    [ "$me" != root ] || pg_user=postgres
    if [ ! -e "$place/data/PG_VERSION" ]; then
        mkdir -p "$place"
        chmod 700 "$place"
        [ "$me" != root ] || chown postgres:postgres "$place"
        logged "initdb in $place" "$LOGS/initdb.log" as_pg "$bin/initdb" -D "$place/data" -U "$pg_user" -A peer \
            -E UTF8 --locale=C.UTF-8 --no-instructions || fail "initdb"
        printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$place'" "port = 5432" |
            as_pg tee -a "$place/data/postgresql.conf" >/dev/null
        printf 'local all all peer map=tandem\n' | as_pg tee "$place/data/pg_hba.conf" >/dev/null
        printf 'tandem %s %s\n' "$me" tandem "$pg_user" "$pg_user" | as_pg tee "$place/data/pg_ident.conf" >/dev/null
    fi
    if pg_running "$place"; then
        say "PostgreSQL runs already in $place"
    else
        as_pg "$bin/pg_ctl" -D "$place/data" -s -w -l "$place/server.log" start || {
            as_pg tail -n 20 "$place/server.log" >&2
            fail "PostgreSQL does not start; its log is $place/server.log"
        }
        say "PostgreSQL runs in $place (Unix socket only, user $pg_user)"
    fi
    if [ -z "$(as_pg psql -X -h "$place" -p 5432 -U "$pg_user" -d postgres -Atc \
        "SELECT 1 FROM pg_roles WHERE rolname = 'tandem'")" ]; then
        as_pg psql -X -q -h "$place" -p 5432 -U "$pg_user" -d postgres -c "CREATE ROLE tandem LOGIN" \
            -c "CREATE DATABASE tandem OWNER tandem"
    fi
}

pg_conninfo() { printf 'host=%s port=5432 user=tandem dbname=tandem' "$1"; }

# --- processes by pid file ---

# ours PIDFILE WORD…: prints the pid when it is alive and its command line holds every word.
ours()
{
    local file=$1 pid word line
    shift
    pid=$(cat "$file" 2>/dev/null) || return 1
    [ -n "$pid" ] && line=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) && [ -n "$line" ] || return 1
    for word in "$@"; do
        case $line in *"$word"*) ;; *) return 1 ;; esac
    done
    printf '%s\n' "$pid"
}

# end_process PID SECONDS: SIGTERM, then SIGKILL.
end_process()
{
    local pid=$1 left=$(($2 * 10))
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            kill -KILL "$pid" 2>/dev/null || true
            return 1
        fi
        sleep 0.1
    done
}
