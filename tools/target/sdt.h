/* SPDX-License-Identifier: MIT */
/*
 * sdt.h - USDT notes: section .note.stapsdt, owner "stapsdt", type 3. A note holds the address of
 * the site, of the section .stapsdt.base as it was when the note was made, and of the semaphore;
 * then provider, name and where the arguments are. If the base has another address by now, the file
 * was moved (prelink) and all addresses move with it.
 */
#ifndef GOTRACE_SDT_H
#define GOTRACE_SDT_H

#include "image.h"
#include "target.h"

struct sdt_note {
	uint64_t addr, base, semaphore; /* as the note says; semaphore 0: none */
	const char *provider, *name, *args;
};

/* False if the note is no probe or is damaged. The strings point into the note. */
bool sdt_note_parse(const struct note *n, struct sdt_note *ret);
/*
 * "8@%rdi -4@$5" -> arg[]. Returns how many, or -EINVAL with a sentence that shows the argument:
 * only registers and immediates can be read from pt_regs alone.
 */
int sdt_args_parse(const char *text, struct probe_arg arg[6], char *err, size_t err_bytes);
/*
 * All sites of libgrt's probes, in the order of probes.def; *ret is the caller's to free. Probes
 * that this gotrace does not know are left out. 0, -ENOMEM, or -EINVAL with a sentence in err.
 */
int sdt_sites_read(const struct image *im, uint64_t bias, struct probe_site **ret, int *ret_n,
		   char *err, size_t err_bytes);

#endif
