/* SPDX-License-Identifier: MIT */
/* groups_test.c - threads that do the same are one group, by call and by stack; and brief words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../../tools/model/alike.h"
#include "../../tools/model/brief.h"
#include "../../tools/model/groups.h"
#include "sick.h"

struct grouped {
	struct model *m;
	const struct model_thread *thread[64];
	size_t n;
	struct groups groups;
};

static void group(struct grouped *g, enum group_by by)
{
	const struct model_thread *all;
	size_t n = model_threads(g->m, &all);

	g->n = 0;
	for (size_t i = 0; i < n; i++)
		if (all[i].state == GRT_MS_blocked)
			g->thread[g->n++] = &all[i];
	assert_true(groups_make(&g->groups, g->m, by, g->thread, g->n));
}

static void grouped_free(struct grouped *g)
{
	groups_free(&g->groups);
	model_free(g->m);
}

static void assert_group(const struct grouped *g, size_t i, size_t n, size_t objects,
			 const char *call)
{
	char text[512];

	assert_true(i < g->groups.n);
	group_call(text, sizeof(text), g->m, &g->groups.row[i]);
	assert_string_equal(text, call);
	assert_int_equal(g->groups.row[i].n, n);
	assert_int_equal(g->groups.row[i].objects, objects);
}

static void test_most_threads_first_then_the_longest(void **state)
{
	struct grouped g = { .m = model_new() };

	(void)state;
	sick_names(g.m);
	sick_snapshot(g.m, SCENE_T0, 0);
	group(&g, GROUP_BY_CALL);
	assert_int_equal(g.groups.n, 3);
	assert_group(&g, 0, 3, 1, "read(/dev/urandom)");
	assert_group(&g, 1, 1, 1, "foreign slow_lookup");
	assert_group(&g, 2, 1, 1, "read(unix /run/\033[2Jevil)");
	assert_int_equal(g.groups.row[0].first->m, 2);
	for (size_t i = 0; i < g.n; i++)
		assert_int_equal(g.groups.group_of[i] == 0, g.thread[i]->m <= 4);
	grouped_free(&g);
}

static void test_one_line_with_many_descriptors_is_one_group_by_stack(void **state)
{
	struct grouped g = { .m = model_new() };

	(void)state;
	sick_names(g.m);
	rec_text(g.m, GRT_TEXT_FD, 8, "/dev/random");
	sick_snapshot(g.m, SCENE_T0, 0);
	group(&g, GROUP_BY_STACK);
	assert_int_equal(g.groups.n, 3);
	assert_group(&g, 0, 3, 2, "read(2 descriptors: /dev/*)");
	groups_free(&g.groups);
	group(&g, GROUP_BY_CALL);
	assert_int_equal(g.groups.n, 4);
	assert_group(&g, 0, 2, 1, "read(/dev/urandom)");
	grouped_free(&g);
}

/* One snapshot: for each number in fds a thread that reads it; all end with -1. */
static void readers(struct model *m, const int *fds)
{
	static uint64_t args[64][6];
	uint64_t n = 0;

	rec_apply(m, SCENE_T0, GRT_K_SNAP_BEGIN, 1, 1, 0, SCENE_T0, 0, 0);
	rec_apply(m, SCENE_T0, GRT_K_SNAP_SCHED, 2, 0, 107, 3, 0, 0);
	for (; fds[n] >= 0; n++) {
		struct row r;

		args[n][0] = (uint64_t)fds[n];
		r = sick_row((int64_t)n + 1, SCENE_T0 - SEC_NS + n, SYS_read, args[n]);
		rec_row(m, SCENE_T0, &r);
	}
	rec_apply(m, SCENE_T0, GRT_K_SNAP_END, n, n, 0, 0, 0, 0);
	model_tick(m, SCENE_T0);
}

static void of_kind(struct model *m, uint64_t fd, const char *kind, const char *name)
{
	rec_text(m, GRT_TEXT_FD, fd, name);
	rec_text(m, GRT_TEXT_FD_KIND, fd, kind);
}

static void test_things_of_one_kind_with_few_threads_each_are_one_group_by_call(void **state)
{
	struct grouped g = { .m = model_new() };

	(void)state;
	of_kind(g.m, 5, "FIFO", "/run/x/fifo-1");
	of_kind(g.m, 6, "FIFO", "/run/x/fifo-2");
	of_kind(g.m, 7, "FIFO", "/run/x/fifo-37");
	of_kind(g.m, 8, "file", "/var/log/x");
	rec_text(g.m, GRT_TEXT_FD, 9, "/of/no/known/kind");
	rec_text(g.m, GRT_TEXT_FD, 10, "/of/no/known/kin");
	readers(g.m, (int[]){ 5, 6, 7, 8, 9, 10, -1 });
	group(&g, GROUP_BY_CALL);
	assert_int_equal(g.groups.n, 4);
	assert_group(&g, 0, 3, 3, "read(3 FIFOs: /run/x/fifo-*)");
	assert_group(&g, 1, 1, 1, "read(/var/log/x)");
	assert_group(&g, 2, 1, 1, "read(/of/no/known/kind)");
	assert_string_equal(g.groups.row[0].kind, "FIFO");
	assert_null(g.groups.row[2].kind);
	grouped_free(&g);
}

static void test_a_thing_that_many_wait_for_keeps_its_name(void **state)
{
	struct grouped g = { .m = model_new() };

	(void)state;
	for (uint64_t fd = 5; fd < 9; fd++)
		of_kind(g.m, fd, "device", "/dev/slow");
	of_kind(g.m, 9, "device", "/dev/other");
	of_kind(g.m, 10, "device", "/dev/third");
	readers(g.m, (int[]){ 5, 6, 7, 8, 9, 10, -1 });
	group(&g, GROUP_BY_CALL);
	assert_int_equal(g.groups.n, 2);
	assert_group(&g, 0, 4, 1, "read(/dev/slow)");
	assert_group(&g, 1, 2, 2, "read(2 devices: /dev/*)");
	groups_free(&g.groups);
	/* The only other one is no crowd. */
	of_kind(g.m, 10, "device", "/dev/other");
	readers(g.m, (int[]){ 5, 6, 7, 8, 9, -1 });
	group(&g, GROUP_BY_CALL);
	assert_group(&g, 1, 1, 1, "read(/dev/other)");
	grouped_free(&g);
}

static void assert_alike(size_t n, const char *kind, const char *a, const char *b, const char *want)
{
	char text[80];

	alike_put(text, sizeof(text), n, kind, a, alike_begin(a, b, SIZE_MAX),
		  alike_end(a, b, SIZE_MAX));
	assert_string_equal(text, want);
}

static void test_many_things_in_few_words(void **state)
{
	char text[16];

	(void)state;
	assert_alike(97, "FIFO", "/tmp/x/fifo-12", "/tmp/x/fifo-3", "97 FIFOs: /tmp/x/fifo-*");
	assert_alike(2, "directory", "/a/b", "/c/d", "2 directories: /a/b, ...");
	assert_alike(3, "pipe", "pipe:[123]", "pipe:[124]", "3 pipes");
	assert_alike(3, "eventfd", "[eventfd]", "[eventfd]", "3 eventfds");
	assert_alike(9, "socket", "tcp 1.2.3.4:80->5.6.7.8:9", "tcp 1.2.3.4:80->5.6.7.9:1",
		     "9 sockets: tcp 1.2.3.4:80->5.6.7.*");
	assert_alike(2, "socket", "unix /run/a", "unix /run/b", "2 sockets: unix /run/*");
	assert_alike(2, "socket", "unix /run/a", "unix /tmp/b", "2 sockets: unix /*");
	assert_alike(2, "socket", "unix /run/a", "unix @x", "2 sockets: unix /run/a, ...");
	assert_alike(2, "socket", "tcp 10.0.0.1:4711->10.0.0.2:5432",
		     "tcp 10.0.0.1:4799->10.0.0.2:5432",
		     "2 sockets: tcp 10.0.0.1:*->10.0.0.2:5432");
	assert_alike(2, "FIFO", "/x/fifo-10 (deleted)", "/x/fifo-12 (deleted)",
		     "2 FIFOs: /x/fifo-* (deleted)");
	assert_alike(2, "file", "/x/aa", "/x/a", "2 files: /x/a*");
	/* é and è share their first byte. */
	assert_alike(2, "file", "/x/\xc3\xa9", "/x/\xc3\xa8", "2 files: /x/*");
	alike_put(text, sizeof(text), 2, "path", NULL, 0, 0);
	assert_string_equal(text, "2 paths");
	alike_put(text, sizeof(text), 97, "FIFO", "/tmp/x/fifo-12", 12, 0);
	assert_string_equal(text, "97 FIFOs: /tmp/");
}

static void test_no_thread_is_no_group(void **state)
{
	struct grouped g = { .m = model_new() };

	(void)state;
	assert_true(groups_make(&g.groups, g.m, GROUP_BY_STACK, g.thread, 0));
	assert_int_equal(g.groups.n, 0);
	grouped_free(&g);
}

static void assert_brief(struct model *m, int32_t nr, const uint64_t *args, const char *want)
{
	struct model_thread t = { .state = GRT_MS_blocked, .nr = nr };
	char call[BRIEF_BYTES];

	if (args) {
		t.has_args = true;
		memcpy(t.args, args, sizeof(t.args));
	}
	brief_call(call, m, &t);
	assert_string_equal(call, want);
}

static void test_words_name_the_object_and_nothing_else(void **state)
{
	static const uint64_t at_path[6] = { (uint64_t)-100, 0x7000, 0 };
	static const uint64_t in_dir[6] = { 4, 0x8000, 0 };
	static const uint64_t pidfd[6] = { P_PIDFD, 5 }, pid[6] = { P_PID, 5 };
	static const uint64_t fd[6] = { 5, 0x7f00, 17 };
	struct model *m = model_new();

	(void)state;
	rec_text(m, GRT_TEXT_STRING, 0x7000, "/run/fifo");
	rec_text(m, GRT_TEXT_FD, 4, "/var/spool");
	assert_brief(m, SYS_openat, at_path, "openat(/run/fifo)");
	assert_brief(m, SYS_openat, in_dir, "openat(/var/spool)");
	assert_brief(m, SYS_read, fd, "read(fd 5)");
	rec_text(m, GRT_TEXT_FD, 5, "[pidfd]");
	assert_brief(m, SYS_waitid, pidfd, "waitid([pidfd])");
	assert_brief(m, SYS_waitid, pid, "waitid");
	assert_brief(m, SYS_nanosleep, NULL, "nanosleep");
	assert_brief(m, 9999, NULL, "syscall_9999");
	assert_brief(m, GRT_NR_NONE, NULL, "call not known");
	model_free(m);
}

static void test_system_frames_are_passed_over(void **state)
{
	struct model *m = model_new();
	const struct model_thread *t;
	char where[BRIEF_BYTES];

	(void)state;
	sick_names(m);
	sick_snapshot(m, SCENE_T0, 0);
	model_threads(m, &t);
	brief_where(where, m, &t[0]);
	assert_string_equal(where, "worker_read files.c:41");
	assert_string_equal(brief_wait_point(m, &t[0]), "urandom_read_iter");
	brief_pc(where, m, 0xabc);
	assert_string_equal(where, "0xabc");
	assert_string_equal(brief_wait_point(m, &t[5]), "filemap_fault");
	assert_null(brief_wait_point(m, &t[4]));
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_threads_first_then_the_longest),
		cmocka_unit_test(test_one_line_with_many_descriptors_is_one_group_by_stack),
		cmocka_unit_test(
			test_things_of_one_kind_with_few_threads_each_are_one_group_by_call),
		cmocka_unit_test(test_a_thing_that_many_wait_for_keeps_its_name),
		cmocka_unit_test(test_many_things_in_few_words),
		cmocka_unit_test(test_no_thread_is_no_group),
		cmocka_unit_test(test_words_name_the_object_and_nothing_else),
		cmocka_unit_test(test_system_frames_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
