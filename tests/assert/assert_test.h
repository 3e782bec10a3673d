/* SPDX-License-Identifier: MIT */
/*
 * assert_test.h - tests of libgrt written with the assertion library: each is the main goroutine of a
 * runtime of its own, in a child (runtime_test.h), watched by the sink. An answer that is not the wanted
 * one ends the child with the library's own text; what cannot be told, on a machine that was too busy,
 * skips the test.
 */
#ifndef ASSERT_TEST_H
#define ASSERT_TEST_H

#include "../sched/runtime_test.h"

#include "../../tools/assert/gotrace_assert.h"

#define DEADLINE_NS 20000000000ll

static inline gotrace_scope *scope_of_self(void)
{
	gotrace_scope *s = gotrace_scope_begin(gotrace_self(), 0);

	EXPECT(s, "%s", gotrace_why());
	return s;
}

#define EXPECT_ANSWER(scope, answer, want)                                                        \
	do {                                                                                      \
		enum gotrace_answer answer_ = (answer);                                           \
		if (answer_ == GOTRACE_INCONCLUSIVE && answer_ != (want)) {                       \
			fprintf(stderr, "inconclusive: %s\n", gotrace_text(scope));               \
			_exit(CHILD_SKIPS);                                                       \
		}                                                                                 \
		EXPECT(answer_ == (want), "%s is %d: %s", #answer, answer_, gotrace_text(scope)); \
	} while (0)
#define EXPECT_HOLDS(scope, answer) EXPECT_ANSWER(scope, answer, GOTRACE_HOLDS)
#define EXPECT_VIOLATED(scope, answer) EXPECT_ANSWER(scope, answer, GOTRACE_VIOLATED)
#define EXPECT_SAYS(scope, word) \
	EXPECT(strstr(gotrace_text(scope), word), "no \"%s\" in: %s", word, gotrace_text(scope))

/* So many Ms are blocked now. */
static inline bool blocked_is(gotrace_scope *s, void *arg)
{
	return gotrace_look(s).blocked == *(unsigned *)arg;
}

#define EXPECT_BLOCKED(scope, count)                                                 \
	do {                                                                         \
		unsigned want_ = (count);                                            \
		EXPECT(gotrace_wait_for(scope, blocked_is, &want_, DEADLINE_NS),     \
		       "%u blocked Ms, not %u", want_, gotrace_look(scope).blocked); \
	} while (0)

#endif
