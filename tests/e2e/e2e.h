/* SPDX-License-Identifier: MIT */
/*
 * e2e.h - real programs and the real gotrace: start one, wait for what it says, run the other on
 * it, look at what it printed and how it ended.
 *
 * GOTRACE is the binary; TRACEE_DIR and EXAMPLES_DIR hold the programs. A child may be set up
 * before it execs (another user, another namespace). Everything dies with the test, which has a
 * time limit itself: nothing here sleeps for a fixed time.
 */
#ifndef TESTS_E2E_H
#define TESTS_E2E_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#define E2E_SECONDS 120   /* for a whole test program */
#define E2E_WAIT_MS 20000 /* for one thing that must happen */
#define E2E_NOBODY 65534
#define E2E_SKIP 77

/* What a child does to itself before it execs; false: give up. */
typedef bool (*e2e_setup_fn)(void);

struct program {
	pid_t pid;
	int out; /* its stdout */
	char line[4096];
};

/* How a run of gotrace ended. */
struct outcome {
	int code; /* exit code, or -signal */
	char out[65536];
	char err[8192];
};

/* What `gotrace probes` says of a libgrt program: as many as runtime/probes.def has. */
#define ALL_PROBES "26 of 26 probes"

static int e2e_gotrace = -1;

static inline void e2e_skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(E2E_SKIP);
}

static inline const char *e2e_path(const char *dir_name, const char *file)
{
	static char path[4][4096];
	static unsigned next;
	const char *dir = getenv(dir_name);
	char *ret = path[next++ % 4];

	snprintf(ret, sizeof(path[0]), "%s/%s", dir ? dir : "", file);
	return ret;
}

/* Call first. Opens gotrace now, so that another user need not be able to reach its path. */
static inline void e2e_init(void)
{
	const char *gotrace = getenv("GOTRACE");

	if (!gotrace || !getenv("TRACEE_DIR"))
		e2e_skip("GOTRACE and TRACEE_DIR are not set");
	e2e_gotrace = open(gotrace, O_RDONLY | O_CLOEXEC);
	if (e2e_gotrace < 0)
		e2e_skip("there is no gotrace");
	signal(SIGPIPE, SIG_IGN);
	alarm(E2E_SECONDS);
}

static inline bool e2e_as_nobody(void)
{
	return setgid(E2E_NOBODY) == 0 && setuid(E2E_NOBODY) == 0;
}

static inline void e2e_child(e2e_setup_fn setup)
{
	signal(SIGPIPE, SIG_DFL);
	if (setup && !setup())
		_exit(126);
	/* After a change of user, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* When this returns, the program has exec'd: what /proc says is about it. */
static inline struct program program_start(char *const argv[], e2e_setup_fn setup)
{
	struct program p = { 0 };
	int out[2], gate[2];
	char c;

	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(gate, O_CLOEXEC), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		/* The user that setup makes of us may not reach the file by its path. */
		int file = argv[0] ? open(argv[0], O_RDONLY | O_CLOEXEC) : -1;

		dup2(out[1], 1);
		e2e_child(setup);
		if (argv[0])
			execv(argv[0], argv);
		if (file >= 0)
			fexecve(file, argv, environ);
		_exit(127);
	}
	close(out[1]);
	close(gate[1]);
	assert_int_equal(read(gate[0], &c, 1), 0); /* exec closes the last writer */
	close(gate[0]);
	p.out = out[0];
	return p;
}

/* Waits for a line that starts so; it is in p->line then. */
static inline void program_expect(struct program *p, const char *start)
{
	size_t n = 0;

	for (;;) {
		struct pollfd pfd = { .fd = p->out, .events = POLLIN };

		if (poll(&pfd, 1, E2E_WAIT_MS) != 1 || read(p->out, p->line + n, 1) != 1)
			fail_msg("the program never said \"%s\"", start);
		if (p->line[n] != '\n' && n < sizeof(p->line) - 2) {
			n++;
			continue;
		}
		p->line[n] = 0;
		n = 0;
		if (!strncmp(p->line, start, strlen(start)))
			return;
	}
}

/*
 * A tracee that waits at its gate until a byte is written to *ret_gate, and is told by its first argument
 * where it waits: *ret_fd, a number of its own. more: the second one, or NULL.
 */
static inline struct program program_at_gate(const char *name, const char *more, int *ret_gate,
					     int *ret_fd)
{
	char fd[16], *argv[] = { (char *)e2e_path("TRACEE_DIR", name), fd, (char *)more, NULL };
	struct program p;
	int gate[2];

	assert_int_equal(pipe(gate), 0);
	fcntl(gate[1], F_SETFD, FD_CLOEXEC);
	snprintf(fd, sizeof(fd), "%d", gate[0]);
	p = program_start(argv, NULL);
	close(gate[0]);
	program_expect(&p, "ready");
	*ret_gate = gate[1];
	*ret_fd = gate[0];
	return p;
}

/* Ends it; returns its status as of waitpid. */
static inline int program_stop(struct program *p)
{
	int status = 0;

	kill(p->pid, SIGKILL);
	waitpid(p->pid, &status, 0);
	close(p->out);
	return status;
}

/* Where programs make files of a moment. */
static inline const char *e2e_tmp(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp && *tmp ? tmp : "/tmp";
}

/* The example growth: so many goroutines that each read a FIFO, which nobody writes, and of /dev/urandom. */
static inline struct program readers_start(const char *fifos, const char *urandom,
					   e2e_setup_fn setup)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "growth"),
			 "--fifos",
			 (char *)fifos,
			 "--urandom",
			 (char *)urandom,
			 "--seconds",
			 "100",
			 NULL };
	struct program p = program_start(argv, setup);
	char ready[64];

	snprintf(ready, sizeof(ready), "ready: %s blocked", fifos);
	program_expect(&p, ready);
	return p;
}

/* The libgrt program of tests/tracee that does nothing; `arg` may be NULL. */
static inline struct program sleeper_start(e2e_setup_fn setup, const char *arg)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "sleeper"), (char *)arg, NULL };
	struct program p = program_start(argv, setup);

	program_expect(&p, "ready");
	return p;
}

/* A pid that nobody has: one that was just given back is not given out again at once. */
static inline pid_t pid_absent(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

/* Has it ended? For targets that must not be harmed. */
static inline bool program_lives(const struct program *p)
{
	return waitpid(p->pid, NULL, WNOHANG) == 0;
}

/* The kernel's letter for a thread; 0: there is none. */
static inline char state_of(pid_t pid)
{
	char path[64], text[512], *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* What has been written to a temporary file. */
static inline void e2e_text(FILE *f, char *ret, size_t bytes)
{
	size_t n;

	rewind(f);
	n = fread(ret, 1, bytes - 1, f);
	ret[n] = 0;
	fclose(f);
}

static inline int e2e_wait(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* gotrace threads PID --json, twenty rows a second; `more`: one option, or NULL. */
static inline struct program gotrace_watch(pid_t target, const char *more)
{
	char pid[16], *argv[] = { (char *)getenv("GOTRACE"),
				  "threads",
				  pid,
				  "--json",
				  "-i",
				  "50ms",
				  (char *)more,
				  NULL };

	snprintf(pid, sizeof(pid), "%d", target);
	return program_start(argv, NULL);
}

/* argv[0] is replaced. out_fd: where stdout goes, -1: into ret->out. */
static inline void gotrace_run(struct outcome *ret, e2e_setup_fn setup, int out_fd,
			       char *const argv[])
{
	FILE *out = tmpfile(), *err = tmpfile();
	pid_t pid;

	assert_true(out && err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out_fd >= 0 ? out_fd : fileno(out), 1);
		dup2(fileno(err), 2);
		e2e_child(setup);
		fexecve(e2e_gotrace, argv, environ);
		_exit(127);
	}
	ret->code = e2e_wait(pid);
	e2e_text(out, ret->out, sizeof(ret->out));
	e2e_text(err, ret->err, sizeof(ret->err));
}

/* gotrace VERB OPERAND, where the operand is often a pid. */
static inline void gotrace_on(struct outcome *ret, e2e_setup_fn setup, const char *verb,
			      const char *operand)
{
	char *argv[] = { "gotrace", (char *)verb, (char *)operand, NULL };

	gotrace_run(ret, setup, -1, argv);
}

static inline void gotrace_pid(struct outcome *ret, e2e_setup_fn setup, const char *verb, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	gotrace_on(ret, setup, verb, text);
}

/* How often a word is in a text. */
static inline unsigned int count_of(const char *text, const char *word)
{
	unsigned int n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* The number behind a key of JSON text, -1 where there is none. */
static inline long json_number(const char *text, const char *key)
{
	char want[64], *end;
	const char *at;
	long v;

	snprintf(want, sizeof(want), "\"%s\":", key);
	at = strstr(text, want);
	if (!at)
		return -1;
	v = strtol(at + strlen(want), &end, 10);
	return end == at + strlen(want) ? -1 : v;
}

#define assert_says(text, want)                                        \
	do {                                                           \
		if (!strstr(text, want))                               \
			fail_msg("\"%s\" is not in:\n%s", want, text); \
	} while (0)
#define assert_code(outcome, want)                                                      \
	do {                                                                            \
		if ((outcome)->code != (want))                                          \
			fail_msg("exit code %d, want %d:\n%s%s", (outcome)->code, want, \
				 (outcome)->out, (outcome)->err);                       \
	} while (0)

/* A private copy of a file in the test's own folder; mode as the original. */
static inline void file_copy(const char *from, const char *to)
{
	struct stat st = { 0 };
	char buf[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC), out;

	assert_true(in >= 0 && fstat(in, &st) == 0);
	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
	assert_true(out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* One of the last four that were made. */
static inline char *pid_text(pid_t pid)
{
	static char text[4][16];
	static unsigned next;
	char *ret = text[next++ % 4];

	snprintf(ret, sizeof(text[0]), "%d", pid);
	return ret;
}

/* A file of ours, which may be a program. */
static inline void file_put(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	close(fd);
}

#endif
