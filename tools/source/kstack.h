/* SPDX-License-Identifier: MIT */
/*
 * kstack.h - where in the kernel a thread sleeps, without BPF: /proc/PID/task/TID/stack, which root may
 * read, or else wchan, which its owner may: that is one function only. Neither shows an address, so
 * each function has a number instead.
 */
#ifndef GOTRACE_KSTACK_H
#define GOTRACE_KSTACK_H

#include <stdint.h>
#include <sys/types.h>

#include "threads.h"

struct kstack;

struct kstack *kstack_new(void); /* NULL: no memory */
void kstack_free(struct kstack *k);
/* Fills kernel and nkernel of a thread that sleeps. */
void kstack_read(struct kstack *k, pid_t pid, struct thread_row *t);
/* Of a number from there; NULL: it is none. */
const char *kstack_name(const struct kstack *k, uint64_t number);
/* Why no thread has any; NULL: some have, or none was asked for. */
const char *kstack_why_not(struct kstack *k);

#endif
