/* SPDX-License-Identifier: MIT */
/*
 * alike.h - many things in few words: "97 FIFOs: /tmp/x/fifo-*", by the beginning that their names share.
 */
#ifndef GOTRACE_ALIKE_H
#define GOTRACE_ALIKE_H

#include <stddef.h>

/* How much of the first `n` bytes of a is also the beginning of b; whole characters. */
size_t alike_bytes(const char *a, const char *b, size_t n);
/*
 * What n > 1 things are, of which one is called `name` and all share its first `same` bytes. kind: of one
 * of them, "FIFO"; name: NULL, if there is none.
 */
void alike_put(char *buf, size_t bytes, size_t n, const char *kind, const char *name, size_t same);

#endif
