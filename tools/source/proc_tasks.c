/* SPDX-License-Identifier: MIT */
/*
 * proc_tasks.c - threads through /proc/PID/task/TID/{stat,syscall,sched}: slower than the iterator
 * by a factor of forty, but open to any user who owns the process. What may not be read is left
 * unknown.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../target/proc.h"
#include "threads.h"

static ssize_t task_read(int dir, const char *tid, const char *name, char *buf, size_t bytes)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", tid, name);
	return proc_small_read(dir, path, buf, bytes);
}

/* State, and the CPU it ran on last (the 39th field). */
static bool read_stat(int dir, const char *tid, struct thread_row *t)
{
	char buf[1024], *after;

	if (task_read(dir, tid, "stat", buf, sizeof(buf)) <= 0)
		return false;
	after = strrchr(buf, ')');
	if (!after || sscanf(after, ") %c", &t->state) != 1)
		return false;
	for (int field = 2; after && field < 39; field++)
		after = strchr(after + 1, ' ');
	t->cpu = after ? (uint32_t)atoi(after + 1) : SCHED_CLOCK_CPUS;
	return true;
}

/* "running", "-1 0xSP 0xIP", or "NR 0xA0 ... 0xA5 0xSP 0xIP". */
static void read_syscall(int dir, const char *tid, struct thread_row *t)
{
	unsigned long long a[8];
	char buf[512];
	long long nr;

	if (task_read(dir, tid, "syscall", buf, sizeof(buf)) <= 0)
		return;
	if (strncmp(buf, "running", 7) == 0) {
		t->is_on_cpu = true;
		return;
	}
	if (sscanf(buf, "%lld %llx %llx %llx %llx %llx %llx %llx %llx", &nr, &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5], &a[6], &a[7]) != 9)
		return;
	t->nr = nr;
	t->has_args = true;
	for (int i = 0; i < 6; i++)
		t->args[i] = a[i];
	t->sp = a[6];
	t->ip = a[7];
}

static void read_sleep(int dir, const char *tid, struct thread_row *t,
		       const struct sched_clock *clock)
{
	unsigned long long ms, fraction;
	char buf[4096], *at;

	if (!thread_is_asleep(t) || task_read(dir, tid, "sched", buf, sizeof(buf)) <= 0)
		return;
	at = strstr(buf, "se.exec_start");
	if (!at || sscanf(at, "se.exec_start : %llu.%6llu", &ms, &fraction) != 2)
		return;
	t->exec_start_ns = ms * 1000000ull + fraction;
	t->asleep_since_ns = sched_clock_to_monotonic(clock, t->cpu, t->exec_start_ns);
}

/* The last number of "NSpid:", which is there only if the process is in a namespace below ours. */
static uint32_t read_ns_tid(int dir, const char *tid, const struct target *target)
{
	char buf[4096], *at, *last;

	if (target->ns_level == 0)
		return (uint32_t)atoi(tid);
	if (task_read(dir, tid, "status", buf, sizeof(buf)) <= 0)
		return 0;
	at = strstr(buf, "\nNSpid:");
	if (!at)
		return (uint32_t)atoi(tid);
	at[1 + strcspn(at + 1, "\n")] = '\0';
	last = strrchr(at, '\t');
	return last ? (uint32_t)atoi(last + 1) : 0;
}

static bool read_row(int dir, const char *tid, const struct target *target,
		     const struct sched_clock *clock, struct thread_row *row)
{
	struct thread_row now = { .nr = -1, .init_tid = row->init_tid };

	if (!read_stat(dir, tid, &now) || now.state == 'Z' || now.state == 'X')
		return false; /* gone since it was listed */
	*row = now;
	row->tid = (uint32_t)atoi(tid);
	row->ns_tid = read_ns_tid(dir, tid, target);
	read_syscall(dir, tid, row);
	read_sleep(dir, tid, row, clock);
	return true;
}

static bool read_thread(int dir, const char *tid, const struct target *target,
			const struct sched_clock *clock, struct thread_list *ret)
{
	struct thread_row row = { 0 }, *t;

	if (!read_row(dir, tid, target, clock, &row))
		return true;
	t = thread_list_add(ret);
	if (!t)
		return false;
	*t = row;
	return true;
}

bool threads_read_one(const struct target *target, const struct sched_clock *clock,
		      struct thread_row *row)
{
	char path[64], tid[16];
	bool is_there;
	int dir;

	snprintf(path, sizeof(path), "/proc/%d/task", target->pid);
	snprintf(tid, sizeof(tid), "%u", row->tid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_there = dir >= 0 && read_row(dir, tid, target, clock, row);
	row->fault_addr = 0; /* was of another moment */
	if (dir >= 0)
		close(dir);
	return is_there;
}

int threads_read_proc(const struct target *target, struct sched_clock *clock,
		      struct thread_list *ret)
{
	char path[64];
	int rc = 0;
	DIR *d;

	ret->n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", target->pid);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	for (struct dirent *e; rc == 0 && (e = readdir(d));)
		if (e->d_name[0] != '.' && !read_thread(dirfd(d), e->d_name, target, clock, ret))
			rc = -ENOMEM;
	closedir(d);
	thread_list_sort(ret);
	return rc ? rc : ret->n ? 0 : -ESRCH;
}
