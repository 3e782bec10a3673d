/* SPDX-License-Identifier: MIT */
/* kstack.c - see kstack.h. There are some hundred functions to sleep in: names are kept for good. */
#include "kstack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../target/proc.h"

#define NAMES_MAX 4096 /* more are not known: a target cannot choose them */
#define NAME_BYTES 64

struct kstack {
	char (*name)[NAME_BYTES];
	uint32_t n, cap;
	int stack_error; /* of the last one that was refused; 0: none was */
	bool is_hidden;  /* wchan was "0" of a thread that sleeps */
	char why[192];
};

struct kstack *kstack_new(void)
{
	return calloc(1, sizeof(struct kstack));
}

void kstack_free(struct kstack *k)
{
	if (k)
		free(k->name);
	free(k);
}

/* From 1; 0: no room. */
static uint64_t number_of(struct kstack *k, const char *name, size_t n)
{
	if (n >= NAME_BYTES)
		n = NAME_BYTES - 1;
	for (uint32_t i = 0; i < k->n; i++)
		if (!strncmp(k->name[i], name, n) && !k->name[i][n])
			return i + 1;
	if (k->n == k->cap) {
		uint32_t cap = k->cap ? 2 * k->cap : 64;
		void *more = cap > NAMES_MAX ? NULL : reallocarray(k->name, cap, NAME_BYTES);

		if (!more)
			return 0;
		k->name = more;
		k->cap = cap;
	}
	memcpy(k->name[k->n], name, n);
	k->name[k->n][n] = '\0';
	return ++k->n;
}

static ssize_t task_read(pid_t pid, uint32_t tid, const char *name, char *buf, size_t bytes)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u/%s", pid, tid, name);
	return proc_small_read(AT_FDCWD, path, buf, bytes);
}

/* "[<0>] anon_pipe_read+0x366/0x410", a line a frame, the innermost first. */
static bool read_stack(struct kstack *k, pid_t pid, struct thread_row *t)
{
	char buf[4096], *at = buf;
	ssize_t n = task_read(pid, t->tid, "stack", buf, sizeof(buf));

	if (n < 0)
		k->stack_error = (int)-n;
	while (n > 0 && t->nkernel < THREAD_KERNEL_FRAMES && (at = strstr(at, "] "))) {
		uint64_t number = number_of(k, at + 2, strcspn(at + 2, "+\n"));

		at += 2;
		if (number)
			t->kernel[t->nkernel++] = number;
	}
	return t->nkernel > 0;
}

/* "0": it runs, or we may not know. */
static void read_wchan(struct kstack *k, pid_t pid, struct thread_row *t)
{
	char buf[256];
	ssize_t n = task_read(pid, t->tid, "wchan", buf, sizeof(buf));
	uint64_t number;

	if (n <= 0)
		return;
	if (!strcmp(buf, "0")) {
		k->is_hidden = true;
		return;
	}
	number = number_of(k, buf, strcspn(buf, "\n"));
	if (number)
		t->kernel[t->nkernel++] = number;
}

void kstack_read(struct kstack *k, pid_t pid, struct thread_row *t)
{
	t->nkernel = 0;
	/* Whoever was refused once will be again; ENOENT may be this thread's end. */
	if ((!k->stack_error || k->stack_error == ENOENT) && read_stack(k, pid, t))
		return;
	read_wchan(k, pid, t);
}

const char *kstack_name(const struct kstack *k, uint64_t number)
{
	return number > 0 && number <= k->n ? k->name[number - 1] : NULL;
}

const char *kstack_why_not(struct kstack *k)
{
	/* A thread may have woken between two files; not each of them. */
	if (!k->stack_error || !k->is_hidden || k->n)
		return NULL;
	snprintf(k->why, sizeof(k->why), "/proc/PID/stack: %s; /proc/PID/wchan is hidden",
		 strerror(k->stack_error));
	return k->why;
}
