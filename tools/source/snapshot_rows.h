/* SPDX-License-Identifier: MIT */
/* snapshot_rows.h - from a finished look to records. */
#ifndef GOTRACE_SNAPSHOT_ROWS_H
#define GOTRACE_SNAPSHOT_ROWS_H

#include "snapshot.h"

void snapshot_emit(struct snapshot *s, int level, source_emit_fn emit, void *arg);
/* Of the look that was emitted last. */
void snapshot_emit_stacks(struct snapshot *s, source_emit_fn emit, void *arg);

#endif
