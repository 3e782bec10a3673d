/* SPDX-License-Identifier: MIT */
/*
 * context_amd64.S - context.h for x86-64, System V ABI.
 *
 * A suspended context, from ctx->sp upwards:
 *
 *	 0  mxcsr, x87 control word
 *	 8  r15
 *	16  r14
 *	24  r13		first switch to it: argument of the entry function
 *	32  r12		first switch to it: the entry function
 *	40  rbx
 *	48  rbp		0 at the first switch: frame pointer chains end there
 *	56  where to go on
 *
 * The last step is an indirect jump and not a return: the return predictor would be wrong at each
 * switch, which costs 6 ns more.
 */

	.text

	.globl	context_switch
	.hidden	context_switch
	.type	context_switch, @function
	.p2align 4
context_switch:					/* (struct context *from, const struct context *to) */
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
	/* The other stack has the same shape: the unwind rules stay true. */
	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	movq	8(%rsp), %r15
	movq	16(%rsp), %r14
	movq	24(%rsp), %r13
	movq	32(%rsp), %r12
	movq	40(%rsp), %rbx
	movq	48(%rsp), %rbp
	movq	56(%rsp), %rcx
	addq	$64, %rsp
	.cfi_def_cfa_offset 0
	.cfi_register %rip, %rcx
	.cfi_same_value %rbp
	.cfi_same_value %rbx
	.cfi_same_value %r12
	.cfi_same_value %r13
	.cfi_same_value %r14
	.cfi_same_value %r15
	jmp	*%rcx
	.cfi_endproc
	.size	context_switch, . - context_switch

/* First instruction of a new context: entry in r12, its argument in r13, stack 16-byte aligned. */
	.globl	context_entry
	.hidden	context_entry
	.type	context_entry, @function
	.p2align 4
context_entry:
	.cfi_startproc
	.cfi_undefined %rip			/* the outermost frame */
	endbr64
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	callq	*%r12
	ud2
	.cfi_endproc
	.size	context_entry, . - context_entry

	.globl	context_call_on
	.hidden	context_call_on
	.type	context_call_on, @function
	.p2align 4
context_call_on:				/* (const struct context *on, long (*fn)(void *), void *arg) */
	.cfi_startproc
	endbr64
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp		/* holds on whichever stack rsp is */
	movq	(%rdi), %rsp
	testb	%al, (%rsp)			/* Valgrind joins steps without an access in between */
	subq	$128, %rsp			/* the red zone of whoever was suspended there */
	andq	$-16, %rsp
	movq	%rdx, %rdi
	callq	*%rsi
	movq	%rbp, %rsp
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size	context_call_on, . - context_call_on

	.section .note.GNU-stack, "", @progbits
