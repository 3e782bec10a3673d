/* SPDX-License-Identifier: MIT */
/* ksym.h - functions of the kernel by address, from /proc/kallsyms, read once. */
#ifndef GOTRACE_KSYM_H
#define GOTRACE_KSYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ksym;

/*
 * The kernel's own table, or another file of its form. NULL: it may not be read, or shows no
 * addresses.
 */
struct ksym *ksym_open(const char *path);
void ksym_close(struct ksym *k);
/* The function that holds an address; NULL: none. Good until the close. */
const char *ksym_name(const struct ksym *k, uint64_t addr);

#define KSYM_PATH "/proc/kallsyms"

#endif
