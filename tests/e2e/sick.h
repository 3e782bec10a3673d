/* SPDX-License-Identifier: MIT */
/*
 * sick.h - programs that are sick in one way (tests/tracee/cause), started in a folder with all
 * that they need: a FIFO, a lock file, a slow disk (tests/tracee/causefuse) in a mount namespace
 * of the test's own, so that no mount outlives it. And what gotrace's JSON says of them.
 */
#ifndef TESTS_SICK_H
#define TESTS_SICK_H

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "e2e.h"

#define DISK_MS "300"

struct sick_room {
	char dir[64], slow[80], fifo[80];
	struct program disk; /* pid 0: there is none */
};

static inline void sick_room_open(struct sick_room *r)
{
	char path[96];

	*r = (struct sick_room){ .dir = "/tmp/gotrace-sick-XXXXXX" };
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->slow, sizeof(r->slow), "%s/slow", r->dir);
	snprintf(r->fifo, sizeof(r->fifo), "%s/fifo", r->dir);
	assert_int_equal(mkdir(r->slow, 0700) | mkfifo(r->fifo, 0600), 0);
	snprintf(path, sizeof(path), "%s/lock", r->dir);
	close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
}

/* Who may not mount skips the test, and says so. Once, before the first disk. */
static inline void sick_need_mounts(void)
{
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		e2e_skip("needs /dev/fuse");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		e2e_skip("needs the right to mount: a FUSE file system in a namespace of its own");
}

static inline void sick_room_mount(struct sick_room *r)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "causefuse"), r->slow, DISK_MS, NULL };

	r->disk = program_start(argv, NULL);
	program_expect(&r->disk, "ready");
}

/* After the program that uses it has been killed: it may hang in the disk, and dies with it. */
static inline void sick_room_close(struct sick_room *r)
{
	char path[96];

	if (r->disk.pid) {
		umount2(r->slow, MNT_DETACH);
		program_stop(&r->disk);
	}
	unlink(r->fifo);
	snprintf(path, sizeof(path), "%s/lock", r->dir);
	unlink(path);
	rmdir(r->slow);
	rmdir(r->dir);
}

/* Its line is "ready LINE FUNCTION" then. */
static inline struct program sick_start(const struct sick_room *r, const char *cause,
					const char *more)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "cause"), (char *)cause, (char *)r->dir,
			 (char *)more, NULL };
	struct program p = program_start(argv, NULL);

	program_expect(&p, "ready");
	return p;
}

/* "log_line cause.c:153", as gotrace shall call the place that p has said. */
static inline void sick_where(const struct program *p, char *buf, size_t bytes)
{
	char function[64];
	int line;

	assert_int_equal(sscanf(p->line, "ready %d %63s", &line, function), 2);
	snprintf(buf, bytes, "%s cause.c:%d", function, line);
}

#define SAID_BYTES (1 << 20)

/*
 * gotrace VERB PID with options, until its output has what is wanted; it must within E2E_WAIT_MS.
 * What it said stays until the next call.
 */
static inline const char *gotrace_until(pid_t pid, const char *verb, char *const options[],
					bool (*is_enough)(const char *, const void *),
					const void *arg)
{
	static char said[SAID_BYTES];
	static struct outcome o;
	struct timespec start, now;
	char text[16], *argv[16] = { "gotrace", (char *)verb, text };
	int n = 3;

	snprintf(text, sizeof(text), "%d", pid);
	for (; options && *options && n < 15; options++)
		argv[n++] = *options;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		FILE *out = tmpfile();

		assert_non_null(out);
		gotrace_run(&o, NULL, fileno(out), argv);
		e2e_text(out, said, sizeof(said));
		assert_code(&o, 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (is_enough(said, arg))
			return said;
	} while ((now.tv_sec - start.tv_sec) * 1000 < E2E_WAIT_MS);
	fail_msg("it never came:\n%.2000s", said);
	return NULL;
}

static inline bool is_any(const char *text, const void *unused)
{
	(void)text;
	(void)unused;
	return true;
}

static inline bool has_text(const char *said, const void *text)
{
	return strstr(said, text) != NULL;
}

static inline bool are_blocked(const char *json, const void *n)
{
	return json_number(json, "blocked") >= *(const long *)n;
}

/* The text value of the first such key at or after `text`; "" for null. */
static inline void json_text_of(const char *text, const char *key, char *buf, size_t bytes)
{
	char want[64];
	const char *at;
	size_t n = 0;

	snprintf(want, sizeof(want), "\"%s\":\"", key);
	at = strstr(text, want);
	buf[0] = '\0';
	if (!at)
		return;
	for (at += strlen(want); *at && *at != '"' && n + 1 < bytes; at++) {
		if (*at == '\\' && at[1])
			at++;
		buf[n++] = *at;
	}
	buf[n] = '\0';
}

#endif
