/* SPDX-License-Identifier: MIT */
/* symname.h - which function of the target an address lies in. Each answer is looked up once. */
#ifndef GOTRACE_SYMNAME_H
#define GOTRACE_SYMNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct symname;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct symname *symname_new(pid_t tid);
void symname_free(struct symname *s);
/* "usleep", or "libx.so.1+0x1f40" where the file has no symbol for it; false: not even a file. */
bool symname_get(struct symname *s, uint64_t addr, char *buf, size_t bytes);

#endif
