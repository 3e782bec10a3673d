/* SPDX-License-Identifier: MIT */
/*
 * service_test.c - does a client that says nothing cost the service a thread?
 *
 * cmocka runs inside the main goroutine, which is locked to its thread: cmocka keeps its state there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gotrace_assert.h>
#include <grt/grt.h>
#include <sys/socket.h>

#include "service.h"

#define CLIENTS 100
#define THREADS_MAX 16 /* Ps, their spares, sysmon: what a service that waits well needs at most */
#define DEADLINE_NS 10000000000ll

/* Each client's goroutine waits again, well or badly. */
static bool all_wait(gotrace_scope *s, void *unused)
{
	struct gotrace_now now = gotrace_look(s);

	(void)unused;
	return now.netpoll_parked + now.blocked >= CLIENTS;
}

static void clients_that_say_nothing_block_no_thread(void **state)
{
	gotrace_scope *s = gotrace_scope_begin(gotrace_self(), 0);
	static int client[CLIENTS], connection[CLIENTS];

	(void)state;
	if (!s)
		fail_msg("%s", gotrace_why());
	for (int i = 0; i < CLIENTS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		client[i] = pair[0];
		connection[i] = pair[1];
		assert_int_equal(grt_go(service_talk, &connection[i]), 0);
	}
	assert_true(gotrace_wait_for(s, all_wait, NULL, DEADLINE_NS));

	assert_no_blocked_m(s);
	assert_netpoll_parked(s, connection[0]);
	assert_threads_at_most(s, THREADS_MAX);

	gotrace_scope_end(s);
	for (int i = 0; i < CLIENTS; i++)
		grt_close(client[i]);
}

static int run_tests(void *unused)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_that_say_nothing_block_no_thread),
	};

	(void)unused;
	grt_lock_os_thread();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return grt_run(run_tests, NULL);
}
