/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block_set_io_throttle: the I/O limits of a disk.
 */
#include "internal.h"
#include "qmp-commands.h"

#include "block/block.h"

/* The limits of the command, without bursts that it does not contain. */
static struct IoLimit throttle_limit(int64_t avg, int64_t max, int64_t length)
{
    return (struct IoLimit){ (uint64_t)avg, (uint64_t)max, (uint64_t)length };
}

bool qmp_block_set_io_throttle(Machine *m, const QmpBlockSetIoThrottleArgs *a, GError **err)
{
    const IoLimits limits = {
        .of = {
            [IO_LIMIT_BPS_TOTAL] = throttle_limit(a->bps, a->bps_max, a->bps_max_length),
            [IO_LIMIT_BPS_READ] = throttle_limit(a->bps_rd, a->bps_rd_max, a->bps_rd_max_length),
            [IO_LIMIT_BPS_WRITE] = throttle_limit(a->bps_wr, a->bps_wr_max, a->bps_wr_max_length),
            [IO_LIMIT_OPS_TOTAL] = throttle_limit(a->iops, a->iops_max, a->iops_max_length),
            [IO_LIMIT_OPS_READ] = throttle_limit(a->iops_rd, a->iops_rd_max, a->iops_rd_max_length),
            [IO_LIMIT_OPS_WRITE] = throttle_limit(a->iops_wr, a->iops_wr_max, a->iops_wr_max_length),
        },
        .op_size = (uint64_t)a->iops_size,
    };

    return block_set_limits(m, a->device, a->id, &limits, a->group, err);
}

static void hmp_block_set_io_throttle(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit_set(args, " ", -1);
    g_autoptr(GError) err = NULL;
    IoLimits limits = { 0 };
    guint64 value;

    if (g_strv_length(words) != 1 + IO_LIMIT_KINDS) {
        g_string_append(out, "Error: use block_set_io_throttle DEVICE BPS BPS_RD BPS_WR IOPS "
                             "IOPS_RD IOPS_WR\n");
        return;
    }
    for (unsigned i = 0; i < IO_LIMIT_KINDS; i++) {
        if (!g_ascii_string_to_unsigned(words[1 + i], 10, 0, IO_LIMIT_MAX, &value, &err)) {
            g_string_append_printf(out, "Error: %s: %s\n", io_limit_names[i], err->message);
            return;
        }
        limits.of[i].avg = value;
    }
    if (!block_set_limits(m, words[0], NULL, &limits, NULL, NULL) &&
        !block_set_limits(m, NULL, words[0], &limits, NULL, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "block_set_io_throttle", "DEVICE BPS BPS_RD BPS_WR IOPS IOPS_RD IOPS_WR", NULL,
      hmp_block_set_io_throttle },
};

const HmpTable throttle_table = { LIST(hmp_commands) };
