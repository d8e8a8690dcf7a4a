/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of -fw_cfg: their options and contents (contract in hw/misc/fw_cfg.h).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hw/misc/fw_cfg.h"
#include "util/error.h"
#include "util/log.h"

#define FW_CFG_FILE_MAX (16u << 20) /* bytes of one file */

static void fw_cfg_file_free(gpointer p)
{
    FwCfgFile *f = p;

    g_free(f->name);
    g_free(f->data);
    g_free(f);
}

static gint fw_cfg_file_compare(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const FwCfgFile *const *)a)->name, (*(const FwCfgFile *const *)b)->name);
}

static bool fw_cfg_check_name(const Machine *m, const char *name, GError **err)
{
    if (!*name || strlen(name) > FW_CFG_NAME_MAX)
        return error_set(err, ERROR_USER, "-fw_cfg name=%s: a name has 1 to %d bytes", name,
                         FW_CFG_NAME_MAX);
    if (g_str_equal(name, FW_CFG_BOOTORDER))
        return error_set(err, ERROR_USER,
                         "-fw_cfg name=%s: the machine provides this file (bootindex= of devices); "
                         "use a name that begins with opt/",
                         name);
    for (guint i = 0; m->fw_cfg_files && i < m->fw_cfg_files->len; i++) {
        const FwCfgFile *f = m->fw_cfg_files->pdata[i];

        if (g_str_equal(f->name, name))
            return error_set(err, ERROR_USER, "-fw_cfg name=%s: the file exists already", name);
    }
    if (m->fw_cfg_files && m->fw_cfg_files->len >= FW_CFG_FILES - 1)
        return error_set(err, ERROR_USER, "-fw_cfg name=%s: at most %d files are possible", name,
                         FW_CFG_FILES - 1);
    return true;
}

static bool fw_cfg_read_file(FwCfgFile *f, const char *path, GError **err)
{
    g_autoptr(GError) why = NULL;
    struct stat st;
    char *data;

    if (stat(path, &st) < 0)
        return error_set_errno(err, errno, "-fw_cfg name=%s: file '%s'", f->name, path);
    if (!S_ISREG(st.st_mode) || st.st_size > FW_CFG_FILE_MAX)
        return error_set(err, ERROR_USER,
                         "-fw_cfg name=%s: '%s' is not a regular file of at most 16 MiB", f->name,
                         path);
    if (!g_file_get_contents(path, &data, &f->len, &why))
        return error_set(err, ERROR_HOST, "-fw_cfg name=%s: %s", f->name, why->message);
    f->data = (uint8_t *)data;
    return true;
}

static void fw_cfg_file_insert(Machine *m, FwCfgFile *f)
{
    if (!m->fw_cfg_files)
        m->fw_cfg_files = g_ptr_array_new_with_free_func(fw_cfg_file_free);
    g_ptr_array_add(m->fw_cfg_files, f);
    g_ptr_array_sort(m->fw_cfg_files, fw_cfg_file_compare);
}

bool fw_cfg_file_new(Machine *m, const char *name, const char *path, const char *string,
                     GError **err)
{
    FwCfgFile *f;

    if (!path == !string)
        return error_set(err, ERROR_USER, "-fw_cfg name=%s: one of file= and string= is required",
                         name);
    if (!fw_cfg_check_name(m, name, err))
        return false;
    if (!g_str_has_prefix(name, "opt/")) {
        message("warning: -fw_cfg name=%s: externally provided fw_cfg item names should be "
                "prefixed with \"opt/\"",
                name);
    }
    f = g_new0(FwCfgFile, 1);
    f->name = g_strdup(name);
    if (string) {
        f->len = strlen(string);
        f->data = g_memdup2(string, f->len);
    } else if (!m->dry_run && !fw_cfg_read_file(f, path, err)) {
        fw_cfg_file_free(f);
        return false;
    }
    fw_cfg_file_insert(m, f);
    return true;
}

/* Add a file that contains a time of -boot, as a little-endian number of @size bytes. */
static bool fw_cfg_time_new(Machine *m, const char *name, uint64_t ms, size_t size, GError **err)
{
    uint64_t value = GUINT64_TO_LE(ms);
    FwCfgFile *f;

    if (ms == BOOT_TIME_ABSENT)
        return true;
    if (!fw_cfg_check_name(m, name, err))
        return false;
    f = g_new0(FwCfgFile, 1);
    f->name = g_strdup(name);
    f->len = size;
    f->data = g_memdup2(&value, size);
    fw_cfg_file_insert(m, f);
    return true;
}

bool fw_cfg_boot_files_new(Machine *m, GError **err)
{
    const BootOptions *o = m->boot_options;

    return !o || (fw_cfg_time_new(m, "etc/boot-menu-wait", o->splash_time, 2, err) &&
                  fw_cfg_time_new(m, "etc/boot-fail-wait", o->reboot_timeout, 4, err));
}

const GPtrArray *fw_cfg_files(const Machine *m)
{
    return m->fw_cfg_files;
}

void fw_cfg_files_free(Machine *m)
{
    g_clear_pointer(&m->fw_cfg_files, g_ptr_array_unref);
}
