/* SPDX-License-Identifier: MIT */
/*
 * pprof.h - the ledger of threads as a profile that `go tool pprof` opens: a sample a cause, with
 * two values: threads that are in it now, and threads that were made meanwhile. The innermost
 * frame is the call itself; threads that are not blocked are counted by state, so that all of them
 * are there.
 */
#ifndef GOTRACE_PPROF_H
#define GOTRACE_PPROF_H

#include <stdbool.h>
#include <stdio.h>

#include "../model/model.h"

/* Gzipped. False: no memory, or the stream took it not. comm: name of the program. */
bool pprof_write(FILE *out, const struct model *m, const char *comm);

#endif
