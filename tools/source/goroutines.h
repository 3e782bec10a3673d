/* SPDX-License-Identifier: MIT */
/*
 * goroutines.h - SNAP_G rows: every goroutine that is not dead, read in bulk from the runtime's
 * table; and the names of descriptors that goroutines wait on. Only where a report asks for them: a
 * process may have a million.
 */
#ifndef GOTRACE_GOROUTINES_H
#define GOTRACE_GOROUTINES_H

#include "names.h"
#include "source.h"
#include "tables.h"

struct goroutines;

/* NULL: no memory. */
struct goroutines *goroutines_new(const struct target *t);
void goroutines_free(struct goroutines *g);
/* An event told of a wait on this descriptor: its name is wanted, though nobody may wait now. */
void goroutines_note_fd(struct goroutines *g, uint64_t fd);
/*
 * Emit the rows, and with `names` those of descriptors that are new or have changed; between BEGIN
 * and END of the snapshot that `tables` belongs to. What cannot be read is counted in tables->lost.
 */
void goroutines_emit(struct goroutines *g, struct tables *tables, struct names *names,
		     source_emit_fn emit, void *arg);

/* The pure part: a row from a copy of a struct g. False: there is no goroutine in it. */
bool goroutine_row(struct grt_rec *ret, const struct layout *l, const void *copy,
		   const struct m_view *m);

#endif
