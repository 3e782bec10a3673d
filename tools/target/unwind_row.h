/* SPDX-License-Identifier: MIT */
/* unwind_row.h - what the unwind tables of a file say of one pc. For unwind.c only. */
#ifndef GOTRACE_UNWIND_ROW_H
#define GOTRACE_UNWIND_ROW_H

#include "unwind.h"

void unwind_row_compile(struct map *map, uint64_t pc, struct unwind_row *ret);

#endif
