/* Who the switch is to the system. Started as root it opens nothing as root: it becomes its user at once, keeps the
 * right to bind low ports until the sockets are open, and then nothing. Main thread. */
#ifndef MAIN_PRIVILEGES_H
#define MAIN_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

#define PRIVILEGES_USER "tandem" /* when the configuration names nobody, and the system knows it */

/* Before anything is opened and any thread is started. user: of the configuration, NULL: PRIVILEGES_USER if there is
 * such a user; "root" stays root. Directories of dirs (NULL at the end) that are not there are made for that user.
 * Does nothing but check when the program was not started as root. Returns 1 when it has become another user, 0 when it
 * is who it was, or negative errno and why. */
int privileges_drop(const char *user, const char *const *dirs, char *why, size_t why_size);

/* When all sockets are bound. dropped: what privileges_drop() returned; then nothing of root is left. What a service
 * manager has given to a user stays (CAP_NET_ADMIN for nftables sets). No program that is started can get more. */
void privileges_seal(bool dropped);

#endif
