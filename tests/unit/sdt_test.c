/* SPDX-License-Identifier: MIT */
/* USDT notes and where their arguments are: registers and immediates; all else is named. */
#define _GNU_SOURCE
#include <asm/ptrace.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../tools/target/sdt.h"
#include "fixture.h"

static char err[256];

static void test_registers_and_immediates_are_read(void **state)
{
	struct probe_arg arg[6];

	(void)state;
	assert_int_equal(
		sdt_args_parse("8@%rdi -4@%r10d 2@$-7 1@%sil 8@$0x10", arg, err, sizeof(err)), 5);

	assert_int_equal(arg[0].regs_off, offsetof(struct pt_regs, rdi));
	assert_int_equal(arg[0].width, 8);
	assert_false(arg[0].is_signed || arg[0].is_imm);
	assert_int_equal(arg[1].regs_off, offsetof(struct pt_regs, r10));
	assert_int_equal(arg[1].width, 4);
	assert_true(arg[1].is_signed);
	assert_true(arg[2].is_imm);
	assert_int_equal(arg[2].imm, -7);
	assert_int_equal(arg[3].regs_off, offsetof(struct pt_regs, rsi));
	assert_int_equal(arg[3].width, 1);
	assert_int_equal(arg[4].imm, 16);
}

static void test_all_of_64_bits_fit_an_immediate(void **state)
{
	struct probe_arg arg[6];

	(void)state;
	assert_int_equal(sdt_args_parse("8@$-1 8@$18446744073709551615", arg, err, sizeof(err)), 2);

	assert_int_equal(arg[0].imm, -1);
	assert_int_equal(arg[1].imm, -1);
}

static void test_no_arguments_are_none(void **state)
{
	struct probe_arg arg[6];

	(void)state;
	assert_int_equal(sdt_args_parse("", arg, err, sizeof(err)), 0);
	assert_int_equal(sdt_args_parse("  ", arg, err, sizeof(err)), 0);
}

static void test_other_places_are_refused_and_shown(void **state)
{
	static const char *const bad[] = {
		"-8@glob(%rip)",
		"8@(%rax,%rdi,8)",
		"8@-8(%rbp)",
		"8f@%xmm0",
		"8@%ah",
		"8@%rdix",
		"16@%rdi",
		"3@%rdi",
		"0@%rdi",
		"8@",
		"8",
		"@%rdi",
		"8@$",
		"8@$1x",
		"8@$ 1",
		"8@%",
		"%rdi",
		"8@$99999999999999999999999",
		"8@rdi",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct probe_arg arg[6];
		char text[96];

		snprintf(text, sizeof(text), "8@%%rsi %s", bad[i]);

		if (sdt_args_parse(text, arg, err, sizeof(err)) != -EINVAL)
			fail_msg("accepted: %s", text);

		assert_non_null(strstr(err, "argument 2"));
	}
	assert_int_equal(sdt_args_parse("1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1",
					(struct probe_arg[6]){ 0 }, err, sizeof(err)),
			 -EINVAL);
	assert_non_null(strstr(err, "more than 6"));
}

/* A note of a probe, and one of somebody else in front of it. */
static void notes_make(struct bytes *b)
{
	b->n = 0;
	bytes_note(b, "GNU", 3, "build", 5);
	fixture_sdt(b, &probe_table[0], 0x1122334455667788, 0x10, 0x20);
}

static void test_note_is_found_behind_another(void **state)
{
	struct note_iter it = { .align = 4 };
	struct sdt_note sdt;
	struct bytes b;
	struct note note;

	(void)state;
	notes_make(&b);
	it.data = b.data;
	it.bytes = b.n;

	assert_true(note_next(&it, &note));
	assert_string_equal(note.owner, "GNU");
	assert_false(sdt_note_parse(&note, &sdt));
	assert_true(note_next(&it, &note));
	assert_true(sdt_note_parse(&note, &sdt));
	assert_false(note_next(&it, &note));

	assert_int_equal(sdt.addr, 0x1122334455667788);
	assert_int_equal(sdt.base, 0x10);
	assert_int_equal(sdt.semaphore, 0x20);
	assert_string_equal(sdt.provider, "grt");
	assert_string_equal(sdt.name, probe_table[0].name);
	assert_string_equal(sdt.args, "8@%rdi 8@%rsi 8@%rdx");
}

/* Parse whatever is there; returns how many probes were found. */
static int walk(const uint8_t *data, size_t bytes)
{
	struct fenced f = fenced_copy(data, bytes);
	struct note_iter it = { .data = f.data, .bytes = f.bytes, .align = 4 };
	struct probe_arg arg[6];
	struct sdt_note sdt;
	struct note note;
	int n = 0;

	while (note_next(&it, &note)) {
		if (!sdt_note_parse(&note, &sdt))
			continue;
		/* The strings must end inside the buffer: measuring them proves it. */
		assert_true(strlen(sdt.provider) + strlen(sdt.name) + strlen(sdt.args) < bytes);
		sdt_args_parse(sdt.args, arg, err, sizeof(err));
		n++;
	}
	fenced_free(&f);
	return n;
}

static void test_cut_and_flipped_notes_stay_inside(void **state)
{
	struct bytes b;
	int found = 0;

	(void)state;
	notes_make(&b);
	for (size_t cut = 0; cut < b.n; cut++)
		found += walk(b.data, cut);
	/* Complete only in the last bytes of padding, if any. */
	assert_in_range(found, 0, 3);
	for (size_t at = 0; at < b.n; at++) {
		uint8_t old = b.data[at];

		for (unsigned v = 0; v < 256; v++) {
			b.data[at] = (uint8_t)v;
			assert_in_range(walk(b.data, b.n), 0, 2);
		}
		b.data[at] = old;
	}
	assert_int_equal(walk(b.data, b.n), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_and_immediates_are_read),
		cmocka_unit_test(test_all_of_64_bits_fit_an_immediate),
		cmocka_unit_test(test_no_arguments_are_none),
		cmocka_unit_test(test_other_places_are_refused_and_shown),
		cmocka_unit_test(test_note_is_found_behind_another),
		cmocka_unit_test(test_cut_and_flipped_notes_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
