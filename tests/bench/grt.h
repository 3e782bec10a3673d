/* SPDX-License-Identifier: MIT */
/* grt.h - what the files of the benchmark share. */
#ifndef BENCH_GRT_H
#define BENCH_GRT_H

#include <stddef.h>

/* A line of the result. */
void out(const char *name, double value);
__attribute__((noreturn)) void die(const char *what, int err);
/* The value that a share of the n values is below. Sorts. */
double quantile(double *v, size_t n, double share);
/* Until the bool that arg points to is set. */
void yield_on(void *should_end);

int bench_busy(void *arg);
/* Without a runtime: asks 100 sockets, whose numbers begin with this one. */
int bench_asker(int first_fd);

#endif
