/* Turns facts of the bus into rows: one call, its legs, its events. Signalling thread. */
#ifndef MAIN_RECORDS_H
#define MAIN_RECORDS_H

#include "call/pbx.h"

struct records;
struct records *records_open(struct pbx *pbx) MUST_USE;
void records_close(struct records *records);

#endif
