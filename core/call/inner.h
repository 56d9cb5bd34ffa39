/* The kind of destination "number": a number that is called through the dialplan. "number:CONTEXT/ACCOUNT/NUMBER" is
 * what that account would reach by dialling it in the context, with its rights and at its expense; without an account
 * ("number:internal//600"): what a caller from outside would. */
#ifndef CALL_INNER_H
#define CALL_INNER_H

#include <stdbool.h>

struct leg;
struct pbx;

/* Adds the kind, for as long as the pbx lives: pbx->inner. */
void inner_open(struct pbx *pbx);
/* Is the leg one side of a call of the switch to itself? */
bool leg_is_inner(const struct leg *leg);
/* Its other side, a leg of another call, which says and hears the same. NULL: it is gone, or the leg has a phone. */
struct leg *inner_other(const struct leg *leg);

#endif
