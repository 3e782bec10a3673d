/* SPDX-License-Identifier: MIT */
/*
 * layout_note.c - layout.def as an ELF note: owner "grt", type 1, in .note.grt.
 *
 *   u32 version, rows; then per row u32 id, value, width
 *
 * value: of a field its offset, of a struct its size, of a global the distance from this very word
 * to the symbol. Relative, because an absolute pointer would need a relocation in a read-only
 * section (text relocations with bfd, an error with lld) and because it stays right in PIE, shared
 * and prelinked code.
 *
 * Offsets reach the assembler as operands of statements in a function that nobody calls. This file
 * is never part of link-time optimisation, which could drop or duplicate the statements.
 */
#include "types.h"

#define NOTE_VERSION 1

enum {
#define LAYOUT_GLOBAL(id, name, symbol) ROW_##name,
#define LAYOUT_SIZE(id, name, type) ROW_##name,
#define LAYOUT_FIELD(id, name, type, member) ROW_##name,
#include "layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
	ROWS
};

#define SECTION ".pushsection .note.grt, \"a\", @note\n\t"

/* Row by row in the order of layout.def: volatile statements keep their order. */
__attribute__((used, cold)) static void layout_note(void)
{
	__asm__ volatile(SECTION ".balign 4\n\t"
				 ".long 4, 8 + %c1 * 12, 1\n\t" /* name, descriptor, type */
				 ".asciz \"grt\"\n\t"
				 ".long %c0, %c1\n\t"
				 ".popsection"
			 :
			 : "i"(NOTE_VERSION), "i"(ROWS));
#define LAYOUT_GLOBAL(id, name, symbol)                                                    \
	__asm__ volatile(SECTION ".long %c0\n1:\t.long " #symbol " - 1b, 8\n\t.popsection" \
			 :                                                                 \
			 : "i"(id));
#define LAYOUT_SIZE(id, name, type)                                 \
	__asm__ volatile(SECTION ".long %c0, %c1, 0\n\t.popsection" \
			 :                                          \
			 : "i"(id), "i"(sizeof(struct type)));
#define LAYOUT_FIELD(id, name, type, member)                            \
	__asm__ volatile(SECTION ".long %c0, %c1, %c2\n\t.popsection"   \
			 :                                              \
			 : "i"(id), "i"(offsetof(struct type, member)), \
			   "i"(sizeof(((struct type *)0)->member)));
#include "layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
}
