/* SPDX-License-Identifier: MIT */
/* netpoll.h - words of the report on waits, shared by its two formats; for this room only. */
#ifndef GOTRACE_VIEW_NETPOLL_H
#define GOTRACE_VIEW_NETPOLL_H

#include "view.h"

#define NETPOLL_TOP 20u /* descriptors in a table for people */

const char *netpoll_by_word(int by);
const char *netpoll_mode_word(uint8_t mode);
/*
 * Most waits first: indexes into model_netpoll_fds. The caller frees. NULL: no memory, or no row.
 */
size_t *netpoll_rows_sorted(const struct model *m, size_t *ret_n);

void netpoll_text_totals(struct view *v, const struct model *m, const struct view_end *e);
void netpoll_json(struct view *v, struct json *j, const struct model *m);
void netpoll_json_totals(struct view *v, struct json *j, const struct model *m,
			 const struct view_end *e);

#endif
