/* SPDX-License-Identifier: MIT */
/* call_test.c - what a thread is doing, in words, with much and with little known about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../../tools/model/brief.h"
#include "../../tools/syscalls.h"
#include "../../tools/view/call.h"
#include "records.h"

static struct model *named, *bare;

static const char *text_of(const struct model_thread *t, const struct model *with)
{
	static char buf[CALL_BYTES];

	call_text(buf, sizeof(buf), with, t);
	return buf;
}

static void read_names_file_and_size(void **state)
{
	struct model_thread t = { .nr = SYS_read,
				  .has_args = true,
				  .args = { 7, 0x7f0000001000, 65536 } };

	(void)state;
	assert_string_equal(text_of(&t, named), "read(7</var/log/x>, 65536)");
	assert_string_equal(text_of(&t, bare), "read(7, 65536)");
}

static void unknown_arguments_are_dots_not_zeros(void **state)
{
	struct model_thread t = { .nr = SYS_read, .call_arg = 7 };

	(void)state;
	assert_string_equal(text_of(&t, named), "read(7</var/log/x>, ...)");
}

static void open_shows_the_path(void **state)
{
	struct model_thread t = { .nr = SYS_openat,
				  .has_args = true,
				  .args = { (uint64_t)-100, 0x1000, 0x80000 } };

	(void)state;
	assert_string_equal(text_of(&t, named), "openat(AT_FDCWD, \"/tmp/fifo\", 0x80000)");
	t.args[1] = 0x3000;
	assert_string_equal(text_of(&t, named), "openat(AT_FDCWD, 0x3000, 0x80000)");
	t.args[1] = 0x1800;
	assert_string_equal(text_of(&t, named), "openat(AT_FDCWD, \"/tmp/odd\"<FIFO>, 0x80000)");
	t.args[1] = 0x1900;
	assert_string_equal(text_of(&t, named),
			    "openat(AT_FDCWD, \"/tmp/gone (deleted)\", 0x80000)");
}

static void a_pidfd_is_a_descriptor_and_a_pid_is_a_number(void **state)
{
	struct model_thread t = { .nr = SYS_waitid, .has_args = true, .args = { P_PIDFD, 7 } };

	(void)state;
	assert_string_equal(text_of(&t, named), "waitid(3, 7</var/log/x>)");
	t.args[0] = P_PID;
	assert_string_equal(text_of(&t, named), "waitid(1, 7)");
}

static void plain_calls_are_a_word(void **state)
{
	struct model_thread t = { .nr = SYS_nanosleep, .has_args = true };

	(void)state;
	assert_string_equal(text_of(&t, named), "nanosleep");
	t.nr = SYS_futex;
	assert_string_equal(text_of(&t, named), "futex");
}

static void calls_without_a_name_are_numbers(void **state)
{
	struct model_thread t = { .nr = 9999 };

	(void)state;
	assert_null(syscall_desc(9999));
	assert_null(syscall_desc(-1));
	assert_string_equal(text_of(&t, named), "syscall_9999");
}

static void foreign_functions_have_names_or_addresses(void **state)
{
	struct model_thread t = { .nr = GRT_NR_FOREIGN, .call_arg = 0x2000 };

	(void)state;
	assert_string_equal(text_of(&t, named), "foreign slow_lookup");
	t.call_arg = 0x2345;
	assert_string_equal(text_of(&t, named), "foreign 0x2345");
}

static void no_call_is_no_word(void **state)
{
	struct model_thread t = { .nr = GRT_NR_NONE, .state = GRT_MS_running };

	(void)state;
	assert_string_equal(text_of(&t, named), "");
	t.attr = GRT_MA_WAITING;
	assert_string_equal(text_of(&t, named), "waits for a CPU");
}

static void hostages_without_a_call_say_why(void **state)
{
	struct model_thread t = { .nr = GRT_NR_NONE, .state = GRT_MS_hostage, .kernel_state = 'T' };

	(void)state;
	assert_string_equal(text_of(&t, named), "stopped");
	t.kernel_state = 'S';
	assert_string_equal(text_of(&t, named), "asleep outside of any call: page fault or lock");
}

/* A page fault: the kernel's stack says so; an address alone may be of an older one. */
static struct model *given_fault_in(const char *kernel, int32_t nr, bool has_mapping)
{
	struct model *m = model_new();
	struct row r = { .m = 1, .tid = 1, .p = 1, .kernel_state = 'S', .nr = nr };

	r.state = nr == GRT_NR_NONE ? GRT_MS_hostage : GRT_MS_blocked;
	r.arg = 0x2000;
	rec_text(m, GRT_TEXT_FUNCTION, 0x2000, "slow_lookup");
	rec_text(m, GRT_TEXT_KERNEL, 0x9000, kernel);
	if (has_mapping)
		rec_text(m, GRT_TEXT_MAPPING, 0x7010, "/data/index");
	rec_apply(m, MS_NS, GRT_K_SNAP_BEGIN, 1, 1, 0, MS_NS, 0, 0);
	rec_row(m, MS_NS, &r);
	rec_apply_of(m, MS_NS, 1, GRT_K_SNAP_FAULT, 0x7010);
	rec_stack(m, MS_NS, 1, GRT_STACK_KERNEL, 0, 1, 0x9000, 0, 0);
	rec_apply(m, MS_NS, GRT_K_SNAP_END, 1, 1, 0, 0, 0, 0);
	return m;
}

static void fault_is(const char *kernel, int32_t nr, bool has_mapping, const char *text,
		     const char *brief)
{
	struct model *m = given_fault_in(kernel, nr, has_mapping);
	const struct model_thread *t;
	char buf[BRIEF_BYTES];

	assert_int_equal(model_threads(m, &t), 1);
	assert_string_equal(text_of(t, m), text);
	brief_call(buf, m, t);
	assert_string_equal(buf, brief);
	model_free(m);
}

static void a_page_fault_has_its_address_and_what_is_mapped_there(void **state)
{
	(void)state;
	fault_is("filemap_fault", GRT_NR_NONE, true, "page fault at 0x7010</data/index>",
		 "page fault in /data/index");
	fault_is("handle_userfault", GRT_NR_NONE, false, "page fault at 0x7010", "page fault");
	fault_is("filemap_fault", GRT_NR_FOREIGN, true,
		 "foreign slow_lookup: page fault at 0x7010</data/index>", "foreign slow_lookup");
	fault_is("do_signal_stop", GRT_NR_NONE, true,
		 "asleep outside of any call: page fault or lock", "call not known");
}

static void short_buffers_hold(void **state)
{
	struct model_thread t = { .nr = SYS_read, .has_args = true, .args = { 7, 0, 65536 } };
	char buf[12];

	(void)state;
	for (size_t n = 1; n <= sizeof(buf); n++) {
		memset(buf, 'x', sizeof(buf));
		call_text(buf, n, named, &t);
		assert_true(strnlen(buf, n) < n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_names_file_and_size),
		cmocka_unit_test(unknown_arguments_are_dots_not_zeros),
		cmocka_unit_test(open_shows_the_path),
		cmocka_unit_test(a_pidfd_is_a_descriptor_and_a_pid_is_a_number),
		cmocka_unit_test(plain_calls_are_a_word),
		cmocka_unit_test(calls_without_a_name_are_numbers),
		cmocka_unit_test(foreign_functions_have_names_or_addresses),
		cmocka_unit_test(no_call_is_no_word),
		cmocka_unit_test(hostages_without_a_call_say_why),
		cmocka_unit_test(a_page_fault_has_its_address_and_what_is_mapped_there),
		cmocka_unit_test(short_buffers_hold),
	};

	int failed;

	named = model_new();
	bare = model_new();
	rec_text(named, GRT_TEXT_FD, 7, "/var/log/x");
	rec_text(named, GRT_TEXT_STRING, 0x1000, "/tmp/fifo");
	rec_text(named, GRT_TEXT_STRING_KIND, 0x1000, "file");
	rec_text(named, GRT_TEXT_STRING, 0x1800, "/tmp/odd");
	rec_text(named, GRT_TEXT_STRING_KIND, 0x1800, "FIFO");
	rec_text(named, GRT_TEXT_STRING, 0x1900, "/tmp/gone (deleted)");
	rec_text(named, GRT_TEXT_FUNCTION, 0x2000, "slow_lookup");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	model_free(named);
	model_free(bare);
	return failed;
}
