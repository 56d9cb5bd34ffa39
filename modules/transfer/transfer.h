/* What the files of the module share. */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include "call/consult.h"
#include "call/transfer.h"
#include "module/module.h"

#define TRANSFER_WORDS 200

/* May `by` hand `who` over to this number in this context? "", or why not. Nothing of the dialplan is run: what a
 * script refuses is found out by going there. Returns why. */
const char *transfer_forbidden(const struct leg *by, const struct leg *who, const char *context, const char *target,
                               char why[TRANSFER_WORDS]);
/* Puts that into the events of by's call. */
void transfer_note(struct leg *by, const char *why);

/* codes.c: codes that are typed in a call. */
int codes_start(struct module_ctx *ctx);
/* command.c: `tandem transfer`. */
int command_start(struct module_ctx *ctx);

#endif
