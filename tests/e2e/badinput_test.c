/* SPDX-License-Identifier: MIT */
/*
 * Targets that are not what gotrace is for, and files that lie: each is refused for its true reason
 * and with its exit code. `gotrace probes` stands for every verb that opens a target.
 */
#define _GNU_SOURCE
#include "e2e.h"

#include <dirent.h>
#include <sched.h>

enum { NO_TARGET = 4, NOT_PERMITTED = 5, SYSTEM = 6 };

static struct outcome o;

static void test_usage(void **state)
{
	char *nothing[] = { "gotrace", NULL };

	(void)state;
	gotrace_run(&o, NULL, -1, nothing);
	assert_code(&o, 2);
	assert_says(o.err, "usage: gotrace VERB");

	gotrace_on(&o, NULL, "prbes", "1");
	assert_code(&o, 2);
	assert_string_equal(o.err,
			    "gotrace: no such verb: 'prbes'\nhint: did you mean 'probes'?\n");

	gotrace_on(&o, NULL, "probes", "--bogus");
	assert_code(&o, 2);
	assert_says(o.err, "--bogus: no such option of probes");

	gotrace_on(&o, NULL, "--version", NULL);
	assert_code(&o, 0);
	assert_says(o.out, "gotrace ");

	gotrace_on(&o, NULL, "probes", "--help");
	assert_code(&o, 0);
	assert_says(o.out, "usage: gotrace probes");
}

static void test_absent_pid(void **state)
{
	(void)state;
	gotrace_pid(&o, NULL, "probes", pid_absent());

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "no such process");
}

static void test_other_users_process(void **state)
{
	struct program p = sleeper_start(NULL, NULL);

	(void)state;
	gotrace_pid(&o, e2e_as_nobody, "probes", p.pid);

	assert_code(&o, NOT_PERMITTED);
	assert_says(o.err, "permission denied\nhint: it belongs to uid 0");
	program_stop(&p);
}

static void test_process_of_the_same_user(void **state)
{
	struct program p = sleeper_start(e2e_as_nobody, NULL);

	(void)state;
	/* A program that changes its user may not be looked at, one that was started by it may. */
	gotrace_pid(&o, e2e_as_nobody, "probes", p.pid);

	assert_code(&o, 0);
	assert_says(o.out, ALL_PROBES ", 0 armed");
	program_stop(&p);
}

static void test_thread_id(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	char path[64], want[64];
	struct dirent *e;
	pid_t tid = 0;
	DIR *d;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/task", p.pid);
	d = opendir(path);
	assert_non_null(d);
	while (tid == 0 && (e = readdir(d)))
		tid = atoi(e->d_name) == p.pid ? 0 : (pid_t)atoi(e->d_name);
	closedir(d);

	gotrace_pid(&o, NULL, "probes", tid);

	assert_code(&o, NO_TARGET);
	snprintf(want, sizeof(want), "it is a thread of process %d", p.pid);
	assert_says(o.err, want);
	snprintf(want, sizeof(want), "hint: give the process: %d\n", p.pid);
	assert_says(o.err, want);
	program_stop(&p);
}

static void test_zombie(void **state)
{
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);

	gotrace_pid(&o, NULL, "probes", pid);

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "it is a zombie");
	waitpid(pid, NULL, 0);
}

/* Pid 2 of a machine; there is none in a pid namespace. */
static bool has_kernel_thread(void)
{
	char name[16] = "";
	int fd = open("/proc/2/comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 && !strncmp(name, "kthreadd", 8);
}

static void test_kernel_thread(void **state)
{
	(void)state;
	if (!has_kernel_thread()) {
		print_message("no kernel thread to be seen in this pid namespace\n");
		return;
	}
	gotrace_pid(&o, NULL, "probes", 2);

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "it is a kernel thread");
}

static void test_other_programs_are_described(void **state)
{
	static const struct {
		const char *path, *arg, *looks;
	} rows[] = {
		{ "/bin/sleep", "1000", "it looks like a C program" },
		{ "/bin/bash", NULL, "it looks like a shell" },
		{ "/usr/bin/python3", NULL, "it looks like Python" },
		{ "/usr/bin/perl", NULL, "it looks like Perl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[] = { (char *)rows[i].path, (char *)rows[i].arg, NULL };
		struct program p;
		int in[2];

		if (access(rows[i].path, X_OK))
			continue;
		/* Programs without arguments read their commands from here, and wait. */
		assert_int_equal(pipe2(in, O_CLOEXEC), 0);
		dup2(in[0], 0);
		p = program_start(argv, NULL);

		gotrace_pid(&o, NULL, "probes", p.pid);

		assert_code(&o, NO_TARGET);
		assert_says(o.err, rows[i].looks);
		program_stop(&p);
		close(in[0]);
		close(in[1]);
	}
}

static void test_files_that_are_no_libgrt(void **state)
{
	(void)state;
	gotrace_on(&o, NULL, "probes", "./does-not-exist");
	assert_code(&o, NO_TARGET);
	assert_says(o.err, "no such file");
	gotrace_on(&o, NULL, "probes", "/tmp");
	assert_code(&o, NO_TARGET);
	assert_says(o.err, "it is not a file");
	gotrace_on(&o, NULL, "probes", "/etc/passwd");
	assert_code(&o, NO_TARGET);
	assert_says(o.err, "not an ELF file");
	gotrace_on(&o, NULL, "probes", "/bin/sleep");
	assert_code(&o, NO_TARGET);
	assert_says(o.err, "it looks like a C program");
	unlink("fifo");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	gotrace_on(&o, NULL, "probes", "./fifo");
	assert_code(&o, NO_TARGET);
	assert_says(o.err, "it is not a file");
}

static void test_stopped_target(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	int status;

	(void)state;
	kill(p.pid, SIGSTOP);
	assert_int_equal(waitpid(p.pid, &status, WUNTRACED), p.pid);
	assert_true(WIFSTOPPED(status));

	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, 0);
	assert_says(o.out, ALL_PROBES ", 0 armed");
	program_stop(&p);
}

static void test_main_thread_is_gone(void **state)
{
	struct program p = sleeper_start(NULL, "--thread");

	(void)state;
	while (state_of(p.pid) != 'Z')
		sched_yield();

	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, 0);
	assert_says(o.out, ALL_PROBES ", 0 armed");
	program_stop(&p);
}

static void test_program_replaced_on_disk(void **state)
{
	char *argv[] = { "./target", NULL };
	struct program p;

	(void)state;
	file_copy(e2e_path("TRACEE_DIR", "sleeper"), "target");
	p = program_start(argv, NULL);
	program_expect(&p, "ready");
	file_copy("/bin/sleep", "new");
	assert_int_equal(rename("new", "target"), 0);

	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, 0);
	assert_says(o.out, "/target (replaced on disk since)");
	assert_says(o.out, ALL_PROBES);
	program_stop(&p);
	unlink("target");
}

static void test_closed_pipe_and_full_disk(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	char pid[16], *argv[] = { "gotrace", "probes", pid, NULL };
	int out[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	snprintf(pid, sizeof(pid), "%d", p.pid);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);

	gotrace_run(&o, NULL, out[1], argv);
	assert_true(o.code == -SIGPIPE || o.code == SYSTEM);

	gotrace_run(&o, NULL, full, argv);
	assert_code(&o, SYSTEM);
	assert_says(o.err, "cannot write the output: No space left on device");

	assert_true(program_lives(&p));
	program_stop(&p);
	close(out[1]);
	close(full);
}

static bool no_standard_fds(void)
{
	return close_range(0, 2, 0) == 0;
}

/* What is opened next must not get what was meant for the user: a recording least of all. */
static void test_started_without_standard_fds(void **state)
{
	static const char *const verbs[] = { "probes", "blocked", "threads", "growth", "check" };
	struct program p = sleeper_start(NULL, NULL);
	char *pid = pid_text(p.pid);
	char *record[] = { "gotrace", "record", "--once", "--force", "-o", "closed.rec", pid, NULL };
	char *show[] = { "gotrace", "blocked", "./closed.rec", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char *once[] = { "gotrace", (char *)verbs[i], pid, NULL, NULL, NULL, NULL };

		if (i > 1)
			once[3] = "--once";
		if (!strcmp(verbs[i], "check")) {
			once[4] = "--fail-on";
			once[5] = "threads>1000";
		}
		gotrace_run(&o, no_standard_fds, -1, once);
		assert_code(&o, SYSTEM);
	}
	gotrace_run(&o, no_standard_fds, -1, record);
	assert_code(&o, SYSTEM);

	gotrace_run(&o, NULL, -1, show);
	assert_code(&o, 0);
	assert_true(program_lives(&p));
	program_stop(&p);
	unlink("closed.rec");
}

/* Rows of the layout note by name, as the program was built. */
static const struct {
	const char *name;
	uint32_t id;
} layout_rows[] = {
#define LAYOUT_GLOBAL(id, name, sym) { #name, id },
#define LAYOUT_SIZE(id, name, type) { #name, id },
#define LAYOUT_FIELD(id, name, type, member) { #name, id },
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
};

static uint32_t row_id(const char *name)
{
	for (size_t i = 0; i < sizeof(layout_rows) / sizeof(layout_rows[0]); i++)
		if (!strcmp(layout_rows[i].name, name))
			return layout_rows[i].id;
	fail_msg("no row %s", name);
	return 0;
}

/* Where a row of the layout note is in ./target: three words of id, value, width. */
static off_t note_row_at(const char *name)
{
	/* Type and owner, and the version after them. */
	static const char owner[] = { 1, 0, 0, 0, 'g', 'r', 't', 0, 1, 0, 0, 0 };
	static uint8_t file[32 << 20];
	int fd = open("target", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, file, sizeof(file));
	uint8_t *at = memmem(file, (size_t)n, owner, sizeof(owner));
	uint32_t nrows, id;

	close(fd);
	assert_non_null(at);
	at += sizeof(owner);
	memcpy(&nrows, at, sizeof(nrows));
	at += sizeof(nrows);
	for (uint32_t i = 0; i < nrows; i++, at += 12) {
		memcpy(&id, at, sizeof(id));
		if (id == row_id(name))
			return at - file;
	}
	fail_msg("the note has no row %s", name);
	return 0;
}

static void target_write(off_t at, uint32_t value)
{
	int fd = open("target", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &value, sizeof(value), at), sizeof(value));
	close(fd);
}

static void test_damaged_note_names_its_field(void **state)
{
	static const struct {
		const char *name;
		int word; /* 0 id, 1 value, 2 width */
		uint32_t value;
		const char *says;
	} rows[] = {
		{ "m_call", 2, 3, "damaged layout note: m_call has width 3" },
		{ "p_status", 1, 1u << 30, "damaged layout note: p_status is at offset" },
		{ "sched_gomaxprocs", 1, 2,
		  "damaged layout note: sched_gomaxprocs is at offset 2" },
		{ "m_tid", 0, 99999, "damaged layout note: id 99999 is not known" },
		{ "allm", 1, 0x7fffffff, "damaged layout note: allm is at 0x" },
		{ "m_size", 1, 0, "damaged layout note: m_size is 0 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[] = { "./target", NULL };
		struct program p;

		file_copy(e2e_path("TRACEE_DIR", "sleeper"), "target");
		target_write(note_row_at(rows[i].name) + 4 * rows[i].word, rows[i].value);
		p = program_start(argv, NULL);
		program_expect(&p, "ready");

		gotrace_pid(&o, NULL, "probes", p.pid);
		assert_code(&o, NO_TARGET);
		assert_says(o.err, rows[i].says);

		gotrace_on(&o, NULL, "probes", "./target");
		assert_code(&o, NO_TARGET);
		assert_says(o.err, rows[i].says);
		assert_true(program_lives(&p));
		program_stop(&p);
	}
	unlink("target");
}

/* A note that contradicts nothing, but not what is in memory. */
static void test_note_that_does_not_fit_the_memory(void **state)
{
	char *argv[] = { "./target", NULL };
	struct program p;
	off_t allp, allgs;

	(void)state;
	file_copy(e2e_path("TRACEE_DIR", "sleeper"), "target");
	allp = note_row_at("allp");
	allgs = note_row_at("allgs");
	target_write(allp, row_id("allgs"));
	target_write(allgs, row_id("allp"));
	p = program_start(argv, NULL);
	program_expect(&p, "ready");

	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "does not fit its memory: ");
	program_stop(&p);
	unlink("target");
}

static void test_a_command_that_may_not_be_started(void **state)
{
	char *argv[] = { "gotrace", "threads", "--", "/etc/passwd", NULL };

	(void)state;
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, 5);
	assert_says(o.err, "gotrace: cannot start /etc/passwd: Permission denied\n");
	argv[3] = "/nowhere/at/all";
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, 4);
	assert_says(o.err, "gotrace: cannot start /nowhere/at/all: No such file or directory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_that_may_not_be_started),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_absent_pid),
		cmocka_unit_test(test_other_users_process),
		cmocka_unit_test(test_process_of_the_same_user),
		cmocka_unit_test(test_thread_id),
		cmocka_unit_test(test_zombie),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_other_programs_are_described),
		cmocka_unit_test(test_files_that_are_no_libgrt),
		cmocka_unit_test(test_stopped_target),
		cmocka_unit_test(test_main_thread_is_gone),
		cmocka_unit_test(test_program_replaced_on_disk),
		cmocka_unit_test(test_closed_pipe_and_full_disk),
		cmocka_unit_test(test_started_without_standard_fds),
		cmocka_unit_test(test_damaged_note_names_its_field),
		cmocka_unit_test(test_note_that_does_not_fit_the_memory),
	};

	if (geteuid() != 0)
		e2e_skip("not root");
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
