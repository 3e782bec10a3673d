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
	assert_group(&g, 0, 3, 2, "read(2 descriptors)");
	groups_free(&g.groups);
	group(&g, GROUP_BY_CALL);
	assert_int_equal(g.groups.n, 4);
	assert_group(&g, 0, 2, 1, "read(/dev/urandom)");
	grouped_free(&g);
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
	assert_null(brief_wait_point(m, &t[5]));
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_threads_first_then_the_longest),
		cmocka_unit_test(test_one_line_with_many_descriptors_is_one_group_by_stack),
		cmocka_unit_test(test_no_thread_is_no_group),
		cmocka_unit_test(test_words_name_the_object_and_nothing_else),
		cmocka_unit_test(test_system_frames_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
