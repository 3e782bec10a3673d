/* SPDX-License-Identifier: MIT */
/*
 * run.c - runs test programs and counts their tests.
 *
 *   run [--repeat N] [--loops N] [--seconds S] [--label TEXT] PROGRAM...
 *
 * Each program runs alone in a process group, in a private directory, under a time limit; whatever it
 * leaves running is killed. cmocka speaks TAP to us, so that tests are counted and not programs. Exit
 * status 77 is a skip, and its last line of output the reason; with CI set, where everything must be
 * there, a skip is a failure. Output is shown for programs that fail. With --repeat the programs take
 * turns, and one has a line for each run that was not all passes, and one for all of them. --loops: so many
 * that do nothing but run keep the CPUs busy beside. The last line is
 *
 *   N passed, N failed, N skipped
 *
 * and is also added to the file named by TEST_TOTALS, if any, for a summary over several runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SKIP 77
#define SECONDS_DEFAULT 240
#define NS_PER_MS 1000000ll

struct totals {
	int passed, failed, skipped;
};

struct result {
	struct totals tests;
	int status; /* as of waitpid */
	bool is_late;
	double seconds;
	char *output;
	size_t len;
};

static struct {
	int repeat, loops, seconds;
	const char *label;
} opt = { 1, 0, SECONDS_DEFAULT, "" };

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / NS_PER_MS;
}

static void die(const char *what)
{
	fprintf(stderr, "run: cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static void child(const char *program, const char *dir, int out)
{
	char *argv[] = { (char *)program, NULL };

	setpgid(0, 0);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(out);
	if (chdir(dir) != 0)
		die("enter the test's directory");
	setenv("TMPDIR", dir, 1);
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
	execv(program, argv);
	fprintf(stderr, "run: cannot start %s: %s\n", program, strerror(errno));
	_exit(127);
}

static void keep(struct result *r, const char *data, size_t n)
{
	r->output = realloc(r->output, r->len + n + 1);
	if (!r->output)
		die("keep a test's output");
	memcpy(r->output + r->len, data, n);
	r->len += n;
	r->output[r->len] = '\0';
}

/* Read until the program has ended; kill its group when time is up. */
static void watch(struct result *r, pid_t pid, int out)
{
	long long end = now_ms() + opt.seconds * 1000ll;
	bool has_ended = false;
	char buf[65536];

	while (!has_ended) {
		struct pollfd p = { .fd = out, .events = POLLIN };
		long long left = end - now_ms();

		if (left <= 0) {
			r->is_late = true;
			kill(-pid, SIGKILL);
			left = 1000;
		}
		poll(&p, 1, left < 50 ? (int)left : 50);
		has_ended = waitpid(pid, &r->status, WNOHANG) == pid;
		for (ssize_t n; (n = read(out, buf, sizeof(buf))) > 0;)
			keep(r, buf, (size_t)n);
	}
	kill(-pid, SIGKILL);
}

static void reap_leftovers(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* "ok 3 - name", "not ok 4 - name", "ok 5 # SKIP name"; cmocka says "not ok 5 # SKIP name". */
static void count(struct result *r)
{
	char *copy = strdup(r->output ? r->output : ""), *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));) {
		int nr;

		line += *line == '\t';
		if (sscanf(line, "not ok %d", &nr) != 1 && sscanf(line, "ok %d", &nr) != 1)
			continue;
		if (strstr(line, "# SKIP"))
			r->tests.skipped++;
		else if (*line == 'n')
			r->tests.failed++;
		else
			r->tests.passed++;
	}
	free(copy);
}

static const char *last_line(struct result *r)
{
	char *at;

	while (r->len > 0 && r->output[r->len - 1] == '\n')
		r->output[--r->len] = '\0';
	at = r->len ? strrchr(r->output, '\n') : NULL;
	return at ? at + 1 : r->len ? r->output : "no reason given";
}

/* A program that died, was late, or failed without naming a test counts as one failure. */
static void judge(struct result *r)
{
	bool is_skip = WIFEXITED(r->status) && WEXITSTATUS(r->status) == SKIP;

	count(r);
	if (is_skip) {
		r->tests = (struct totals){ .skipped = 1 };
	} else if ((r->status != 0 && r->tests.failed == 0) ||
		   r->tests.passed + r->tests.failed + r->tests.skipped == 0) {
		r->tests.failed++;
	}
	if (getenv("CI") && r->tests.skipped > 0) {
		r->tests.failed += r->tests.skipped;
		r->tests.skipped = 0;
	}
}

/* What a test could not tell, and so skipped. */
static void tell_inconclusive(const struct result *r)
{
	for (char *line = r->output; line && (line = strstr(line, "inconclusive: ")); line++)
		printf("     %.*s\n", (int)strcspn(line, "\n"), line);
}

static void tell(const char *program, struct result *r)
{
	const char *name = strrchr(program, '/');

	printf("%-4s %s%-28s %3d passed",
	       r->tests.failed    ? "FAIL"
	       : r->tests.skipped ? "skip"
				  : "ok",
	       opt.label, name ? name + 1 : program, r->tests.passed);
	if (r->tests.failed)
		printf(", %d failed", r->tests.failed);
	if (r->tests.skipped)
		printf(", %d skipped", r->tests.skipped);
	printf("  %6.1f s\n", r->seconds);
	if (r->is_late)
		printf("     killed after %d s\n", opt.seconds);
	if (WIFSIGNALED(r->status) && !r->is_late)
		printf("     died of %s\n", strsignal(WTERMSIG(r->status)));
	if (r->tests.failed && r->output)
		printf("---- output of %s\n%s\n----\n", program, r->output);
	else if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == SKIP)
		printf("     %s\n", last_line(r));
	else if (r->tests.skipped)
		tell_inconclusive(r);
	fflush(stdout);
}

static void add(struct totals *sum, const struct totals *t)
{
	sum->passed += t->passed;
	sum->failed += t->failed;
	sum->skipped += t->skipped;
}

/* Returns how long it took. */
static double run_program(const char *program, struct totals *sum)
{
	char dir[] = "/tmp/grt-test-XXXXXX", command[64];
	struct result r = { 0 };
	long long start = now_ms();
	int out[2];
	pid_t pid;

	/* As /tmp is: some of what a test starts is nobody's. */
	if (!mkdtemp(dir) || chmod(dir, 01777) != 0 || pipe2(out, O_CLOEXEC) != 0)
		die("set up a test");
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		child(program, dir, out[1]);
	setpgid(pid, pid);
	close(out[1]);
	watch(&r, pid, out[0]);
	close(out[0]);
	reap_leftovers();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		die("remove a test's directory");
	r.seconds = (double)(now_ms() - start) / 1000;
	judge(&r);
	if (opt.repeat == 1 || r.tests.failed || r.tests.skipped)
		tell(program, &r);
	add(sum, &r.tests);
	free(r.output);
	return r.seconds;
}

static void run_rounds(char **programs, int n, struct totals *sum)
{
	struct {
		struct totals tests;
		double longest;
	} *each = calloc((size_t)n, sizeof(*each));
	char path[PATH_MAX];

	if (!each)
		die("count");
	for (int round = 0; round < opt.repeat; round++)
		for (int i = 0; i < n; i++) {
			double seconds = run_program(
				realpath(programs[i], path) ? path : programs[i], &each[i].tests);

			each[i].longest = seconds > each[i].longest ? seconds : each[i].longest;
		}
	for (int i = 0; i < n; i++) {
		const struct totals *t = &each[i].tests;
		const char *name = strrchr(programs[i], '/');

		add(sum, t);
		if (opt.repeat > 1)
			printf("%-4s %s%-28s %d runs: %d passed, %d failed, %d skipped; longest %.1f s\n",
			       t->failed ? "FAIL" : "ok", opt.label, name ? name + 1 : programs[i],
			       opt.repeat, t->passed, t->failed, t->skipped, each[i].longest);
	}
	free(each);
}

/* They end with us, however we end. */
static void loops_start(void)
{
	for (int i = 0; i < opt.loops; i++) {
		pid_t parent = getpid(), pid = fork();

		if (pid < 0)
			die("fork");
		if (pid > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			;
		_exit(0);
	}
}

static int parse(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
		if (strcmp(argv[i], "--repeat") == 0)
			opt.repeat = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--loops") == 0)
			opt.loops = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--seconds") == 0)
			opt.seconds = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--label") == 0)
			opt.label = argv[i + 1];
		else
			break;
	}
	return i;
}

static void add_to_totals(const struct totals *sum)
{
	const char *path = getenv("TEST_TOTALS");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%d %d %d\n", sum->passed, sum->failed, sum->skipped);
	fclose(f);
}

int main(int argc, char **argv)
{
	struct totals sum = { 0 };
	int first = parse(argc, argv);

	if (first >= argc) {
		fprintf(stderr, "usage: run [--repeat N] [--loops N] [--seconds S] [--label TEXT] "
				"PROGRAM...\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	loops_start();
	run_rounds(argv + first, argc - first, &sum);
	add_to_totals(&sum);
	printf("%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped);
	return sum.failed != 0;
}
