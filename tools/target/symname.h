/* SPDX-License-Identifier: MIT */
/*
 * symname.h - which function of the target an address lies in, and which line of its source. Each
 * answer is looked up once. Names come from the target: control characters are replaced.
 */
#ifndef GOTRACE_SYMNAME_H
#define GOTRACE_SYMNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "maps.h"

struct symname;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct symname *symname_new(pid_t tid);
void symname_free(struct symname *s);
struct maps *symname_maps(const struct symname *s);
/*
 * "usleep", "ns::worker", or "libx.so.1+0x1f40" (the offset in the file) where the file has no
 * symbol for it; false: not even a file.
 */
bool symname_get(struct symname *s, uint64_t addr, char *buf, size_t bytes);
/*
 * Where the global functions lie whose names begin so, in the file that is mapped at addr: from
 * the first to the end of the last. False: it has none.
 */
bool symname_range(struct symname *s, uint64_t addr, const char *prefix, uint64_t *ret_start,
		   uint64_t *ret_end);
/*
 * "libx.so 1f40a7...": module and build-id of an address that no symbol names, for who looks it up later.
 * False: it has a name, or the module no build-id.
 */
bool symname_build_id(struct symname *s, uint64_t addr, char *buf, size_t bytes);
/* "files.c:41"; false: no debug information says so. */
bool symname_line(struct symname *s, uint64_t addr, char *buf, size_t bytes);

#endif
