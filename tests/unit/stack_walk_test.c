/* SPDX-License-Identifier: MIT */
/*
 * stack_walk_test.c - stacks of threads of this very program, which sleep in a call that the test
 * made them make; and when a stack that was read still holds.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../tools/source/stack_walk.h"
#include "../../tools/target/symname.h"

static int ends[2];

static __attribute__((noinline)) ssize_t waits(void)
{
	char byte;
	/* Not read(2): a sanitizer puts a function before it that needs its frame pointer. */
	ssize_t n = syscall(SYS_read, ends[0], &byte, 1);

	__asm__ volatile("" ::: "memory"); /* no tail call */
	return n;
}

static void *sleeper(void *arg)
{
	(void)arg;
	waits();
	return NULL;
}

/* The thread of this process that is not the one that asks, once it sleeps in read(2). */
static void given_row(struct thread_row *ret, const struct target *t)
{
	struct sched_clock clock = { 0 };
	struct thread_list l = { 0 };
	bool found = false;

	while (!found) {
		assert_int_equal(threads_read_proc(t, &clock, &l), 0);
		for (size_t i = 0; i < l.n && !found; i++) {
			found = l.row[i].tid != (uint32_t)gettid() && l.row[i].nr == 0 &&
				l.row[i].args[0] == (uint64_t)ends[0];
			*ret = l.row[i];
		}
	}
	thread_list_free(&l);
}

struct fixture {
	pthread_t thread;
	struct target target;
	struct symname *names;
	struct stack_walk *walk;
	struct thread_row row;
	struct stack stack;
};

static void given_sleeper(struct fixture *f)
{
	*f = (struct fixture){ .target = { .pid = getpid(), .via_tid = getpid() } };
	assert_int_equal(pipe(ends), 0);
	pthread_create(&f->thread, NULL, sleeper, NULL);
	given_row(&f->row, &f->target);
	f->names = symname_new(getpid());
	f->walk = stack_walk_new(&f->target, symname_maps(f->names));
	assert_non_null(f->walk);
}

static void end(struct fixture *f)
{
	stack_walk_free(f->walk);
	symname_free(f->names);
	close(ends[1]);
	pthread_join(f->thread, NULL);
	close(ends[0]);
}

static int frames_of(struct fixture *f, const char *function)
{
	char text[256];
	int n = 0;

	for (int i = 0; i < f->stack.n; i++)
		n += symname_get(f->names, f->stack.pc[i] - 1, text, sizeof(text)) &&
		     !strcmp(text, function);
	return n;
}

/* Only pc and sp are known of it: libc's syscall needs no more, who called it does. */
static void given_pc_and_sp_when_walked_then_the_caller_is_found(void **state)
{
	struct stack_want want = { 0 };
	struct fixture f;

	(void)state;
	given_sleeper(&f);
	want.t = &f.row;
	stack_walk_all(f.walk, &want, &f.stack, 1);
	assert_true(f.stack.n >= 2);
	assert_int_equal(frames_of(&f, "waits"), 1);
	assert_true(f.stack.flags[f.stack.n - 1] & GRT_FRAME_CUT); /* its own frame needs rbp */
	assert_int_equal(f.stack.call_at, f.stack.n);
	end(&f);
}

/* Where the runtime saved the beginning of its call, that goes on. */
static void given_a_saved_call_when_the_registers_lead_nowhere_then_it_goes_on(void **state)
{
	uint64_t saved[2] = { 0x5a5a5a5a, 0 };
	struct stack_want want = { .is_in_call = true };
	struct fixture f;

	(void)state;
	given_sleeper(&f);
	f.row.ip = 16; /* nobody's code */
	want.t = &f.row;
	want.call_pc = (uint64_t)(uintptr_t)sleeper + 1;
	want.call_fp = (uint64_t)(uintptr_t)saved;
	want.call_sp = (uint64_t)(uintptr_t)&saved[2];
	stack_walk_all(f.walk, &want, &f.stack, 1);
	assert_true(f.stack.n >= 2);
	assert_int_equal(f.stack.pc[0], 16);
	assert_int_equal(f.stack.call_at, 1);
	assert_int_equal(f.stack.pc[1], want.call_pc);
	end(&f);
}

static void given_registers_that_are_nonsense_when_walked_then_it_is_cut(void **state)
{
	struct stack_want want = { 0 };
	struct fixture f;

	(void)state;
	given_sleeper(&f);
	want.t = &f.row;
	f.row.sp = 0x1000; /* nothing is mapped there */
	stack_walk_all(f.walk, &want, &f.stack, 1);
	assert_true(f.stack.n >= 1);
	assert_int_equal(frames_of(&f, "waits"), 0);
	f.row.sp = 0;
	stack_walk_all(f.walk, &want, &f.stack, 1);
	assert_int_equal(f.stack.n, 0);
	end(&f);
}

static void given_the_same_sleep_when_asked_then_it_holds(void **state)
{
	struct thread_row before = { .state = 'S', .nr = 0, .ip = 1, .sp = 2, .exec_start_ns = 3 };
	struct thread_row after = before;

	(void)state;
	assert_true(stack_holds(&before, &after));
	assert_false(stack_holds(&before, NULL));
	after.exec_start_ns++; /* it slept again, in the same call */
	assert_false(stack_holds(&before, &after));
	after = before;
	after.state = 'R';
	assert_false(stack_holds(&before, &after));
	after = before;
	after.sp = 4;
	assert_false(stack_holds(&before, &after));
	after = before;
	after.nr = 1;
	assert_false(stack_holds(&before, &after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_pc_and_sp_when_walked_then_the_caller_is_found),
		cmocka_unit_test(
			given_a_saved_call_when_the_registers_lead_nowhere_then_it_goes_on),
		cmocka_unit_test(given_registers_that_are_nonsense_when_walked_then_it_is_cut),
		cmocka_unit_test(given_the_same_sleep_when_asked_then_it_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
