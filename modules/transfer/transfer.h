/* What the files of the module share. */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "call/consult.h"
#include "call/transfer.h"
#include "module/module.h"

/* May it go there? NULL, or why not. `who` is to be transferred by `by`. */
const char *transfer_forbidden(const struct leg *by, const struct leg *who, const char *target);

/* codes.c: codes that are typed in a call. */
int codes_start(struct module_ctx *ctx);
/* command.c: `tandem transfer`. */
int command_start(struct module_ctx *ctx);

#endif
