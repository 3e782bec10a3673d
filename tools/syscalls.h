/* SPDX-License-Identifier: MIT */
/*
 * syscalls.h - the system calls by number: their names, and which arguments are descriptors or paths.
 * Sources ask it which names a call needs, views how to print them.
 */
#ifndef GOTRACE_SYSCALLS_H
#define GOTRACE_SYSCALLS_H

#include <stdint.h>

struct syscall_desc {
	const char *name;
	const char *args; /* a letter an argument: see syscalls_x86_64.def */
};

/*
 * The letter of argument i, where 'i' has become 'f' or 'd' by what the argument before it says.
 * args: all six; NULL: not all are known.
 */
char syscall_letter(const struct syscall_desc *d, int i, const uint64_t *args);

/* NULL: no such call. */
const struct syscall_desc *syscall_desc(int32_t nr);
/* The number of a call by its name, -1: there is none. */
int32_t syscall_nr(const char *name);

#endif
