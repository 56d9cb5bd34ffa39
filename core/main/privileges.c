/* Becomes the switch's own user. Everything that the switch opens or makes (state, sockets, the media process) is
 * opened by that user, so nothing of it ever belongs to root. Main thread, at start. Knows no telephony. */
#include "main/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/caps.h"
#include "base/log.h"

#define BIT(cap) (1ull << (cap))

static int fail(char *why, size_t why_size, const char *what, const char *name)
{
    int err = errno;

    snprintf(why, why_size, "%s %s: %s", what, name, strerror(err));
    return -err;
}

/* A directory that root has made is of no use to the user. */
static int give_directory(const char *path, const struct passwd *to, char *why, size_t why_size)
{
    struct stat st;

    if (mkdir(path, 0750) == 0)
        return chown(path, to->pw_uid, to->pw_gid) < 0 ? fail(why, why_size, "cannot give away", path) : 0;
    if (errno != EEXIST || stat(path, &st) < 0)
        return fail(why, why_size, "cannot make the directory", path);
    if (st.st_uid == to->pw_uid)
        return 0;
    snprintf(why, why_size, "%s belongs to another user than %s; `chown -R %s: %s` gives it to the switch", path,
             to->pw_name, to->pw_name, path);
    return -EPERM;
}

static int become(const struct passwd *user, char *why, size_t why_size)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(user->pw_name, user->pw_gid) < 0 ||
        setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0)
        return fail(why, why_size, "cannot become the user", user->pw_name);
    /* Low ports, and receive buffers beyond net.core.rmem_max. */
    caps_keep(BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_ADMIN));
    /* The kernel has taken /proc/self away from a process that changed its user; sofia's loop is found there. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    log_info("runs as user %s", user->pw_name);
    return 0;
}

int privileges_drop(const char *user, const char *const *dirs, char *why, size_t why_size)
{
    const struct passwd *to;
    int result = 0;

    umask(0027);
    errno = 0;
    to = getpwnam(user ? user : PRIVILEGES_USER);
    if (user && !to) {
        snprintf(why, why_size,
                 "the system has no user %s; `adduser --system --group %s` makes one, or set `user` in [switch]", user,
                 user);
        return -ENOENT;
    }
    if (geteuid() != 0) {
        if (!user || to->pw_uid == geteuid())
            return 0;
        snprintf(why, why_size, "only root can start the switch as user %s; start it as that user, or as root", user);
        return -EPERM;
    }
    if (!to || to->pw_uid == 0) {
        if (user)
            log_info("runs as root, as its configuration says");
        else
            log_warn("runs as root: `adduser --system --group %s` makes a user that it runs as from the next start on",
                     PRIVILEGES_USER);
        return 0;
    }
    for (; *dirs && result == 0; dirs++)
        result = give_directory(*dirs, to, why, why_size);
    result = result < 0 ? result : become(to, why, why_size);
    return result < 0 ? result : 1;
}

void privileges_seal(bool dropped)
{
    if ((dropped && caps_keep(0) < 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        log_warn("privileges cannot be given up: %s", strerror(errno));
}
