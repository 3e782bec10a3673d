/* SPDX-License-Identifier: MIT */
/*
 * unwind_row.c - from what libdw says of a pc to a row. Compilers for x86-64 need few kinds of
 * rules: a register plus an offset, for the CFA also once through memory (the frame of a signal).
 * Whatever else there is (procedure linkage tables: nobody sleeps there) ends a stack.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "unwind_row.h"

/* DWARF's numbers of registers on x86-64. */
static const uint8_t dwarf_number[UNWIND_REGS] = {
	[UNWIND_RBX] = 3,  [UNWIND_RBP] = 6,  [UNWIND_R12] = 12, [UNWIND_R13] = 13,
	[UNWIND_R14] = 14, [UNWIND_R15] = 15, [UNWIND_RSP] = 7,  [UNWIND_PC] = 16,
};

static bool reg_of(uint64_t number, uint8_t *ret)
{
	for (int i = 0; i < UNWIND_REGS; i++) {
		if (dwarf_number[i] != number)
			continue;
		*ret = (uint8_t)i;
		return true;
	}
	return false;
}

static bool offset_of(uint64_t v, int32_t *ret)
{
	*ret = (int32_t)(int64_t)v;
	return (int64_t)v == *ret;
}

/* A register plus an offset, as the first operation. */
static bool base_of(const Dwarf_Op *op, struct unwind_rule *ret)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
		return reg_of(op->atom - DW_OP_breg0, &ret->reg) &&
		       offset_of(op->number, &ret->offset);
	if (op->atom == DW_OP_bregx)
		return reg_of(op->number, &ret->reg) && offset_of(op->number2, &ret->offset);
	return false;
}

static bool cfa_rule(const Dwarf_Op *ops, size_t n, struct unwind_rule *ret)
{
	if (n == 0 || n > 2 || !base_of(&ops[0], ret))
		return false;
	ret->how = n == 2 ? UNWIND_AT_REG : UNWIND_REG_PLUS;
	return n == 1 || ops[1].atom == DW_OP_deref;
}

static bool reg_rule(const Dwarf_Op *ops, size_t n, const Dwarf_Op *ops_mem,
		     struct unwind_rule *ret)
{
	bool is_value = n > 1 && ops[n - 1].atom == DW_OP_stack_value;

	if (n == 0) {
		ret->how = ops == ops_mem ? UNWIND_NOT : UNWIND_SAME;
		return true;
	}
	n -= is_value;
	if (ops[0].atom == DW_OP_call_frame_cfa && n <= 2) {
		ret->how = is_value ? UNWIND_CFA_PLUS : UNWIND_AT_CFA;
		return n == 1 ||
		       (ops[1].atom == DW_OP_plus_uconst && offset_of(ops[1].number, &ret->offset));
	}
	if (n == 1 && ops[0].atom == DW_OP_regx) {
		ret->how = UNWIND_REG_PLUS;
		return reg_of(ops[0].number, &ret->reg);
	}
	if (n == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) {
		ret->how = UNWIND_REG_PLUS;
		return reg_of(ops[0].atom - DW_OP_reg0, &ret->reg);
	}
	ret->how = is_value ? UNWIND_REG_PLUS : UNWIND_AT_REG;
	return n == 1 && base_of(&ops[0], ret);
}

static bool frame_compile(Dwarf_Frame *frame, struct unwind_row *ret)
{
	Dwarf_Op *ops, mem[3];
	Dwarf_Addr start, end;
	size_t n;
	bool is_signal;
	int pc_column = dwarf_frame_info(frame, &start, &end, &is_signal);

	if (pc_column < 0 || dwarf_frame_cfa(frame, &ops, &n) != 0 || !cfa_rule(ops, n, &ret->cfa))
		return false;
	ret->is_signal = is_signal;
	for (int i = 0; i < UNWIND_REGS; i++) {
		int column = i == UNWIND_PC ? pc_column : dwarf_number[i];
		struct unwind_rule *rule = &ret->rule[i];

		if (dwarf_frame_register(frame, column, mem, &ops, &n) != 0 ||
		    !reg_rule(ops, n, mem, rule))
			*rule = (struct unwind_rule){ .how = UNWIND_NOT };
		/* By the ABI the caller's stack pointer is the CFA where nothing is said. */
		if (i == UNWIND_RSP && rule->how != UNWIND_AT_REG && rule->how != UNWIND_AT_CFA)
			*rule = (struct unwind_rule){ .how = UNWIND_CFA_PLUS };
	}
	return true;
}

static bool cfi_compile(Dwarf_CFI *cfi, uint64_t pc, struct unwind_row *ret)
{
	Dwarf_Frame *frame = NULL;
	bool is_there;

	if (!cfi || dwarf_cfi_addrframe(cfi, pc, &frame) != 0)
		return false;
	is_there = frame_compile(frame, ret);
	free(frame);
	return is_there;
}

void unwind_row_compile(struct map *map, uint64_t pc, struct unwind_row *ret)
{
	Dwarf_Addr bias;
	Dwarf_CFI *cfi;

	memset(ret, 0, sizeof(*ret));
	if (!map || !map->module)
		return;
	cfi = dwfl_module_eh_cfi(map->module, &bias);
	ret->is_there = cfi && cfi_compile(cfi, pc - bias, ret);
	if (ret->is_there)
		return;
	memset(ret, 0, sizeof(*ret));
	cfi = dwfl_module_dwarf_cfi(map->module, &bias);
	ret->is_there = cfi && cfi_compile(cfi, pc - bias, ret);
}
