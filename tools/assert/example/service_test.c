/* SPDX-License-Identifier: MIT */
/*
 * service_test.c - a client that waits for the log pins no thread.
 *
 * The tests are the main goroutine of a runtime. cmocka keeps its state in the thread, so that the
 * goroutine is locked to one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <gotrace_assert.h>
#include <grt/grt.h>

#include "service.h"

#define DEADLINE_NS 10000000000ll

/* It waits: as it should, in the netpoller, or as it should not, with a thread. */
static bool is_waiting(gotrace_scope *scope, void *arg)
{
	return gotrace_check_netpoll_parked(scope, *(int *)arg) == GOTRACE_HOLDS ||
	       gotrace_look(scope).blocked > 0;
}

static void a_waiting_client_pins_no_thread(void **state)
{
	int log[2], client[2];
	struct service s;
	gotrace_scope *scope;

	(void)state;
	assert_int_equal(pipe(log), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	s = (struct service){ .log = log[0], .client = client[0] };

	scope = gotrace_scope_begin(gotrace_self(), 0);
	if (!scope)
		fail_msg("%s", gotrace_why());
	assert_int_equal(service_start(&s), 0);
	assert_true(gotrace_wait_for(scope, is_waiting, &s.log, DEADLINE_NS));

	assert_netpoll_parked(scope, s.log);
	assert_no_blocked_m(scope);
	gotrace_scope_end(scope);
}

static int tests_main(void *arg)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_waiting_client_pins_no_thread),
	};

	(void)arg;
	grt_lock_os_thread();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return grt_run(tests_main, NULL);
}
