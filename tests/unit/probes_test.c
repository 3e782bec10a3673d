/* SPDX-License-Identifier: MIT */
/* probes_test.c - each probe of probes.def is in the linked program once, and as tracers want it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>

#include "../../runtime/probes.h"
#include "elfnotes.h"

#define STAPSDT_TYPE 3
#define NOP 0x90

struct site {
	uint64_t pc, base, semaphore;
	const char *name, *args;
};

struct expected {
	const char *name, *function;
	int nargs;
	volatile unsigned short *semaphore;
};

static const struct expected probes[] = {
#define PROBE(nr, name, temp, n, args, doc) { #name, "probe_" #name, n, &grt_##name##_semaphore },
#include "../../runtime/probes.def"
#undef PROBE
};
#define PROBES (sizeof(probes) / sizeof(probes[0]))

static struct elf_file self;
static uint64_t bias;

static int open_self(void **state)
{
	(void)state;
	self = elf_open("/proc/self/exe");
	if (!self.map)
		return -1;
	bias = elf_self_bias(&self, "probes_count", (const void *)(uintptr_t)probes_count);
	return 0;
}

/* The k-th site of provider grt whose name is `name` (NULL: any). */
static bool site_find(const char *name, int k, struct site *ret)
{
	const Elf64_Shdr *sh = elf_section(&self, ".note.stapsdt");
	struct elf_note n = { 0 };

	assert_non_null(sh);
	while (elf_note_next(&self, sh, &n)) {
		const char *provider = n.desc + 3 * sizeof(uint64_t);

		if (n.type != STAPSDT_TYPE || strcmp(provider, "grt") != 0)
			continue;
		memcpy(ret, n.desc, 3 * sizeof(uint64_t));
		ret->name = provider + strlen(provider) + 1;
		ret->args = ret->name + strlen(ret->name) + 1;
		if ((!name || strcmp(ret->name, name) == 0) && k-- == 0)
			return true;
	}
	return false;
}

static void test_each_probe_has_one_site_and_there_are_no_others(void **state)
{
	struct site s;

	(void)state;
	for (size_t i = 0; i < PROBES; i++) {
		assert_true(site_find(probes[i].name, 0, &s));
		assert_false(site_find(probes[i].name, 1, &s));
	}
	assert_true(site_find(NULL, PROBES - 1, &s));
	assert_false(site_find(NULL, PROBES, &s));
}

static void test_the_site_is_a_short_nop_in_the_probes_function(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROBES; i++) {
		uint64_t bytes = 0, fn = elf_symbol(&self, probes[i].function, &bytes);
		struct site s;

		assert_true(site_find(probes[i].name, 0, &s));
		assert_true(s.pc >= fn && s.pc < fn + bytes);
		assert_int_equal(*(const unsigned char *)(uintptr_t)(s.pc + bias), NOP);
	}
}

/* "8@%rdi 8@%rsi -4@$1": as many as the catalogue says, none of them in memory. */
static void assert_readable_args(const char *args, int nargs)
{
	int n = 0;

	while (*args) {
		const char *at = strchr(args, '@');

		assert_non_null(at);
		assert_int_equal(labs(strtol(args, NULL, 10)), sizeof(u64));
		assert_true(at[1] == '%' || at[1] == '$');
		n++;
		args = strchr(args, ' ') ? strchr(args, ' ') + 1 : "";
	}
	assert_int_equal(n, nargs);
}

static void test_arguments_are_in_registers(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROBES; i++) {
		struct site s;

		assert_true(site_find(probes[i].name, 0, &s));
		assert_readable_args(s.args, probes[i].nargs);
	}
}

static void test_the_note_names_the_semaphore_that_call_sites_read(void **state)
{
	const Elf64_Shdr *base = elf_section(&self, ".stapsdt.base");

	(void)state;
	assert_non_null(base);
	for (size_t i = 0; i < PROBES; i++) {
		struct site s;

		assert_true(site_find(probes[i].name, 0, &s));
		assert_int_equal(s.base, base->sh_addr);
		assert_int_equal(s.semaphore + bias, (uintptr_t)probes[i].semaphore);
	}
}

/* Whoever raises the semaphore makes call sites go through the function; the listener hears of it. */
static int heard;
static u64 heard_args[6];

static void listen_once(u16 kind, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	heard++;
	assert_int_equal(kind, GRT_K_handoff);
	memcpy(heard_args, (u64[]){ a, b, c, d, e, f }, sizeof(heard_args));
}

static int evaluated;

static u64 costly(void)
{
	return (u64)++evaluated;
}

static void test_nothing_is_evaluated_when_nobody_listens(void **state)
{
	(void)state;
	probe_sink = listen_once;
	PROBE_FIRE(handoff, costly(), 2, 3, 4, 5, 6);
	assert_int_equal(evaluated, 0);
	assert_int_equal(heard, 0);

	probes_count(1ull << GRT_K_handoff, +1);
	PROBE_FIRE(handoff, costly(), 2, 3, 4, 5, 6);
	probes_count(1ull << GRT_K_handoff, -1);
	PROBE_FIRE(handoff, costly(), 2, 3, 4, 5, 6);
	probe_sink = NULL;

	assert_int_equal(evaluated, 1);
	assert_int_equal(heard, 1);
	for (u64 i = 0; i < 6; i++)
		assert_int_equal(heard_args[i], i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_probe_has_one_site_and_there_are_no_others),
		cmocka_unit_test(test_the_site_is_a_short_nop_in_the_probes_function),
		cmocka_unit_test(test_arguments_are_in_registers),
		cmocka_unit_test(test_the_note_names_the_semaphore_that_call_sites_read),
		cmocka_unit_test(test_nothing_is_evaluated_when_nobody_listens),
	};

	return cmocka_run_group_tests(tests, open_self, NULL);
}
