/* SPDX-License-Identifier: MIT */
/*
 * unwind_test.c - rows that say how to find a caller: applied to memory that is made up, and
 * compiled from the tables of this very program; symbols of a kernel that is made up.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../../tools/target/ksym.h"
#include "../../tools/target/symname.h"
#include "../../tools/target/unwind.h"

#define STACK_AT 0x7000ull
#define WORDS 8
#define FRAMES 32

/* Memory of WORDS words at STACK_AT; the page behind it is not at hand. */
static uint64_t memory[WORDS];

static enum unwind_memory made_up(void *arg, uint64_t addr, uint64_t *ret)
{
	(void)arg;
	*ret = 0;
	if (addr >= STACK_AT + sizeof(memory) && addr < STACK_AT + 4096)
		return UNWIND_LATER;
	if (addr < STACK_AT || addr >= STACK_AT + 4096)
		return UNWIND_UNREADABLE;
	*ret = memory[(addr - STACK_AT) / 8];
	return UNWIND_READ;
}

/* As after "push %rbp; mov %rsp, %rbp". */
static const struct unwind_row with_frame = {
	.is_there = true,
	.cfa = { UNWIND_REG_PLUS, UNWIND_RBP, 16 },
	.rule = { [UNWIND_RBP] = { UNWIND_AT_CFA, 0, -16 },
		  [UNWIND_RSP] = { UNWIND_CFA_PLUS, 0, 0 },
		  [UNWIND_PC] = { UNWIND_AT_CFA, 0, -8 } },
};

static struct unwind_state given_state(uint64_t rbp)
{
	struct unwind_state s = { .is_innermost = true,
				  .known = 1u << UNWIND_PC | 1u << UNWIND_RSP | 1u << UNWIND_RBP |
					   1u << UNWIND_R12 };

	s.reg[UNWIND_PC] = 0x1000;
	s.reg[UNWIND_RSP] = STACK_AT;
	s.reg[UNWIND_RBP] = rbp;
	s.reg[UNWIND_R12] = 12;
	return s;
}

static void given_a_frame_when_applied_then_the_caller_is_found(void **state)
{
	struct unwind_state s = given_state(STACK_AT + 16);

	(void)state;
	memory[2] = 0xb9;
	memory[3] = 0x2000;
	assert_int_equal(unwind_apply(&with_frame, &s, made_up, NULL), UNWIND_STEPPED);
	assert_int_equal(s.reg[UNWIND_PC], 0x2000);
	assert_int_equal(s.reg[UNWIND_RBP], 0xb9);
	assert_int_equal(s.reg[UNWIND_RSP], STACK_AT + 32);
	assert_int_equal(s.reg[UNWIND_R12], 12);
	assert_true(s.known >> UNWIND_R12 & 1);
	assert_false(s.known >> UNWIND_RBX & 1);
	assert_false(s.is_innermost);
}

static void given_an_unknown_register_when_applied_then_the_stack_is_lost(void **state)
{
	struct unwind_state s = given_state(STACK_AT + 16), before;

	(void)state;
	s.known &= ~(1u << UNWIND_RBP);
	before = s;
	assert_int_equal(unwind_apply(&with_frame, &s, made_up, NULL), UNWIND_LOST);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void given_memory_not_at_hand_when_applied_then_nothing_has_happened(void **state)
{
	struct unwind_state s = given_state(STACK_AT + sizeof(memory) - 8), before = s;

	(void)state;
	assert_int_equal(unwind_apply(&with_frame, &s, made_up, NULL), UNWIND_MEMORY);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void given_unreadable_memory_when_applied_then_the_stack_is_lost(void **state)
{
	struct unwind_state s = given_state(STACK_AT + 2 * 4096);

	(void)state;
	assert_int_equal(unwind_apply(&with_frame, &s, made_up, NULL), UNWIND_LOST);
}

static void given_no_return_address_when_applied_then_it_is_the_outermost(void **state)
{
	struct unwind_state s = given_state(STACK_AT + 16);
	struct unwind_row row = with_frame;

	(void)state;
	row.rule[UNWIND_PC].how = UNWIND_NOT;
	assert_int_equal(unwind_apply(&row, &s, made_up, NULL), UNWIND_END);
	memory[3] = 0;
	assert_int_equal(unwind_apply(&with_frame, &s, made_up, NULL), UNWIND_END);
}

static void given_a_frame_that_is_its_own_caller_when_applied_then_it_ends(void **state)
{
	struct unwind_state s = given_state(STACK_AT + 16);
	struct unwind_row row = with_frame;

	(void)state;
	memory[3] = s.reg[UNWIND_PC];
	row.rule[UNWIND_RSP] = (struct unwind_rule){ UNWIND_SAME, 0, 0 };
	assert_int_equal(unwind_apply(&row, &s, made_up, NULL), UNWIND_LOST);
}

static void given_a_frame_of_a_signal_when_applied_then_the_pc_is_exact(void **state)
{
	struct unwind_state s = given_state(0);
	struct unwind_row row = { .is_there = true,
				  .is_signal = true,
				  .cfa = { UNWIND_AT_REG, UNWIND_RSP, 8 },
				  .rule = { [UNWIND_RSP] = { UNWIND_CFA_PLUS, 0, 0 },
					    [UNWIND_PC] = { UNWIND_AT_REG, UNWIND_RSP, 32 } } };

	(void)state;
	memory[1] = 0x9000;
	memory[4] = 0x3000;
	assert_int_equal(unwind_apply(&row, &s, made_up, NULL), UNWIND_STEPPED);
	assert_int_equal(s.reg[UNWIND_RSP], 0x9000);
	assert_int_equal(s.reg[UNWIND_PC], 0x3000);
	assert_true(s.is_innermost);
}

static enum unwind_memory own_memory(void *arg, uint64_t addr, uint64_t *ret)
{
	(void)arg;
	memcpy(ret, (void *)(uintptr_t)addr, sizeof(*ret));
	return UNWIND_READ;
}

/* A sanitizer puts a function of its own before the library's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_FRAMES 1
#else
#define SANITIZER_FRAMES 0
#endif

/* Frame pointers are left out here: only the tables know the way. */
static __attribute__((noinline, optimize("omit-frame-pointer"))) size_t own_stack(struct unwind *u,
										  uint64_t *pc,
										  void **truth,
										  int *ret_truth)
{
	struct unwind_state s = { .is_innermost = true, .known = (1u << UNWIND_REGS) - 1 };
	const int reg[UNWIND_REGS] = { REG_RBX, REG_RBP, REG_R12, REG_R13,
				       REG_R14, REG_R15, REG_RSP, REG_RIP };
	ucontext_t c;
	size_t n = 0;

	getcontext(&c);
	*ret_truth = backtrace(truth, FRAMES);
	for (int i = 0; i < UNWIND_REGS; i++)
		s.reg[i] = (uint64_t)c.uc_mcontext.gregs[reg[i]];
	while (n < FRAMES && unwind_step(u, &s, own_memory, NULL) == UNWIND_STEPPED)
		pc[n++] = s.reg[UNWIND_PC];
	return n;
}

static void given_this_program_when_unwound_then_as_the_compiler_s_own_library_does(void **state)
{
	struct maps *maps = maps_new(getpid());
	struct unwind *u = unwind_new(maps);
	uint64_t pc[FRAMES];
	void *truth[FRAMES];
	int n;
	const int first = 1 + SANITIZER_FRAMES; /* its own */
	size_t got = own_stack(u, pc, truth, &n);

	(void)state;
	assert_true(n > 4);
	assert_int_equal(got, n - first);
	for (int i = first; i < n; i++)
		assert_ptr_equal((void *)(uintptr_t)pc[i - first], truth[i]);
	unwind_free(u);
	maps_free(maps);
}

static void given_an_address_that_nobody_mapped_when_asked_then_no_row(void **state)
{
	struct maps *maps = maps_new(getpid());
	struct unwind *u = unwind_new(maps);

	(void)state;
	assert_false(unwind_row_of(u, 0)->is_there);
	assert_false(unwind_row_of(u, 8)->is_there);
	for (uint64_t pc = 1; pc < 5000; pc++)
		assert_false(unwind_row_of(u, pc)->is_there);
	assert_true(unwind_row_of(u, (uint64_t)(uintptr_t)own_stack)->is_there);
	unwind_free(u);
	maps_free(maps);
}

static void given_a_map_that_goes_when_refreshed_then_it_is_nobodys(void **state)
{
	struct maps *maps = maps_new(getpid());
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uint64_t)(uintptr_t)page, own = (uint64_t)(uintptr_t)own_stack;
	uint32_t losses;

	(void)state;
	assert_non_null(maps_find(maps, at));
	assert_non_null(maps_open(maps, own)->module);
	losses = maps_losses(maps);
	munmap(page, 4096);
	maps_refresh(maps);
	maps_find(maps, 8); /* nobody's: looked for in what is mapped now */
	assert_null(maps_find(maps, at));
	assert_int_equal(maps_losses(maps), losses + 1);
	assert_true(maps_find(maps, own)->is_tried); /* it was kept, with its file */
	maps_free(maps);
}

/* As a C++ compiler would name ns::worker(int). */
void worker(void) __asm__("_ZN2ns6workerEi");
__attribute__((noinline)) void worker(void)
{
	__asm__ volatile("nop");
}

static void given_a_function_of_cplusplus_when_asked_then_its_name_is_plain(void **state)
{
	struct symname *s = symname_new(getpid());
	uint64_t at = (uint64_t)(uintptr_t)worker;
	char text[256];

	(void)state;
	assert_true(symname_get(s, at, text, sizeof(text)));
	assert_string_equal(text, "ns::worker");
	assert_true(symname_line(s, at, text, sizeof(text)));
	assert_memory_equal(text, "unwind_test.c:", 14);
	assert_false(symname_line(s, 16, text, sizeof(text)));
	symname_free(s);
}

static struct ksym *given_kernel(const char *text)
{
	char path[] = "/tmp/unwind_test.XXXXXX";
	int fd = mkstemp(path);
	struct ksym *k;

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	k = ksym_open(path);
	unlink(path);
	return k;
}

static void given_symbols_of_a_kernel_when_asked_then_the_one_that_holds_it(void **state)
{
	struct ksym *k = given_kernel("ffffffff81000100 T vfs_read\n"
				      "ffffffff81000180 D some_data\n"
				      "ffffffff81000200 t pipe_read\n"
				      "ffffffff81000000 T startup_64\n"
				      "ffffffffc0000000 t fuse_get_req\t[fuse]\n"
				      "nonsense\n\n"
				      "ffffffffc0000100 t last");

	(void)state;
	assert_non_null(k);
	assert_string_equal(ksym_name(k, 0xffffffff81000000), "startup_64");
	assert_string_equal(ksym_name(k, 0xffffffff810001ff), "vfs_read");
	assert_string_equal(ksym_name(k, 0xffffffff81000200), "pipe_read");
	assert_string_equal(ksym_name(k, 0xffffffffc0000010), "fuse_get_req");
	assert_string_equal(ksym_name(k, 0xffffffffc0000100), "last");
	assert_null(ksym_name(k, 0xffffffff80ffffff));
	assert_null(ksym_name(k, 0xffffffffd0000000));
	ksym_close(k);
}

static void given_a_kernel_that_hides_its_addresses_when_opened_then_none(void **state)
{
	(void)state;
	assert_null(given_kernel("0000000000000000 T vfs_read\n0000000000000000 t pipe_read\n"));
	assert_null(given_kernel(""));
	assert_null(ksym_open("/nonexistent/kallsyms"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_frame_when_applied_then_the_caller_is_found),
		cmocka_unit_test(given_an_unknown_register_when_applied_then_the_stack_is_lost),
		cmocka_unit_test(given_memory_not_at_hand_when_applied_then_nothing_has_happened),
		cmocka_unit_test(given_unreadable_memory_when_applied_then_the_stack_is_lost),
		cmocka_unit_test(given_no_return_address_when_applied_then_it_is_the_outermost),
		cmocka_unit_test(given_a_frame_that_is_its_own_caller_when_applied_then_it_ends),
		cmocka_unit_test(given_a_frame_of_a_signal_when_applied_then_the_pc_is_exact),
		cmocka_unit_test(
			given_this_program_when_unwound_then_as_the_compiler_s_own_library_does),
		cmocka_unit_test(given_an_address_that_nobody_mapped_when_asked_then_no_row),
		cmocka_unit_test(given_a_map_that_goes_when_refreshed_then_it_is_nobodys),
		cmocka_unit_test(given_a_function_of_cplusplus_when_asked_then_its_name_is_plain),
		cmocka_unit_test(given_symbols_of_a_kernel_when_asked_then_the_one_that_holds_it),
		cmocka_unit_test(given_a_kernel_that_hides_its_addresses_when_opened_then_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
