/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images: the options -bios, -kernel, -initrd, -dtb and -append, the files of loader devices,
 * the boot section of the description, and the open files behind them.
 *
 * Computing SHA-256 of tens of megabytes requires a noticeable time. It is therefore computed only
 * when a description is written or a migration begins, and then by a thread.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "hw/core/machine.h"
#include "hw/misc/loader_device.h"

/* A running computation of digests. It has its own descriptors of the images. */
typedef struct BootHash {
    GThread *thread;
    BootImages *images;
    GError *error;
    int done; /* atomic */
} BootHash;

/* --- from options and files to paths --- */

static const char *option_of(const Session *s, BootRole role)
{
    const char *const options[BOOT_ROLES] = { s->bios, s->kernel, s->initrd, s->dtb };

    return options[role];
}

static void set_path(Session *s, BootRole role, const char *path)
{
    plan_remove_boot(s->plan, boot_role_name(role));
    plan_add_boot(s->plan, boot_role_name(role))->path = g_strdup(path);
}

static bool is_qtest(const Session *s)
{
    return session_accel(s, NULL) == ACCEL_QTEST;
}

/* Choose the default firmware of the board. Called without -bios and without a boot section. A
 * migration target receives the firmware from the source. */
static bool choose_default_firmware(Session *s, bool asked, GError **err)
{
    const BoardType *board = build_board(s);
    bool kernel = s->kernel || plan_find_boot(s->plan, "kernel");
    g_autoptr(GError) why = NULL;
    const char *path;

    if (is_qtest(s) && !asked && !kernel) {
        return true; /* CPUs do not run under qtest */
    }
    path = board->default_firmware(&why);
    if (path) {
        set_path(s, BOOT_FIRMWARE, path);
        s->default_firmware = true;
    } else if (!s->incoming || asked) {
        g_propagate_error(err, g_steal_pointer(&why));
        return false;
    }
    return true;
}

/* Folders in which firmware without a folder in its name is searched, if the current one does not
 * have it. */
static const char *const firmware_folders[] = {
    BACKPLANE_DATADIR,
    "/usr/share/qemu",
    "/usr/lib/riscv64-linux-gnu/opensbi/generic",
};

/* Return the path of the firmware that -bios names, for g_free(); NULL with an error if it has no
 * folder and is in none. */
static char *find_firmware(const char *name, GError **err)
{
    g_autoptr(GString) searched = g_string_new("");

    if (strchr(name, '/') || g_file_test(name, G_FILE_TEST_EXISTS)) {
        return g_strdup(name);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(firmware_folders); i++) {
        g_autofree char *path = g_build_filename(firmware_folders[i], name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_steal_pointer(&path);
        }
        g_string_append_printf(searched, ", %s", firmware_folders[i]);
    }
    error_set(err, ERROR_USER, "firmware '%s' is in none of the folders: the current one%s", name,
              searched->str);
    return NULL;
}

static bool choose_firmware(Session *s, GError **err)
{
    const PlanBootImage *planned = s->bios ? NULL : plan_find_boot(s->plan, "firmware");
    const char *path = s->bios ? s->bios : planned ? planned->path : NULL;
    bool asked = g_strcmp0(path, "default") == 0;

    if (s->bios && strcmp(s->bios, "none") == 0) {
        plan_remove_boot(s->plan, "firmware");
        return true;
    }
    if (s->bios && !asked) {
        g_autofree char *found = find_firmware(s->bios, err);

        if (found) {
            set_path(s, BOOT_FIRMWARE, found);
        }
        return found != NULL;
    }
    return (s->plan->has_boot && !asked) || choose_default_firmware(s, asked, err);
}

/* Reject boot images for a board that has no memory for them. */
static bool boot_nothing(Session *s, GError **err)
{
    bool any = s->append || s->plan->append || s->plan->boot->len > 0;

    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        any |= option_of(s, role) != NULL;
    }
    if (any) {
        error_set(err, ERROR_USER,
                  "machine '%s' has no CPU and no memory: -bios, -kernel, -initrd, -append and "
                  "-dtb are not possible",
                  s->plan->type);
    }
    return !any;
}

/* Return the option that names the file of a role, for messages. */
static const char *boot_option(BootRole role)
{
    static const char *const options[] = { "-bios", "-kernel", "-initrd", "-dtb" };

    return role < BOOT_LOADER ? options[role] : "-device loader,file=";
}

static bool boot_is_loader(const PlanDevice *d)
{
    return strcmp(d->type, LOADER_DEVICE_TYPE) == 0;
}

static const char *boot_loader_file(const PlanDevice *d)
{
    const PlanValue *v = plan_device_get(d, "file");

    return v ? v->s : NULL;
}

/* Return the number of the device's boot image, from 1; 0: none was chosen. */
static unsigned boot_loader_number(const PlanDevice *d)
{
    const PlanValue *v = plan_device_get(d, "x-image");

    return v ? (unsigned)v->u : 0;
}

/* Choose the lowest number that no loader device has. */
static bool boot_choose_number(const Session *s, PlanDevice *d, GError **err)
{
    unsigned used = 0;

    for (guint i = 0; i < s->plan->devices->len; i++) {
        const PlanDevice *other = s->plan->devices->pdata[i];

        used |= boot_is_loader(other) ? 1u << boot_loader_number(other) : 0;
    }
    for (unsigned n = 1; n <= BOOT_LOADERS; n++) {
        g_autofree char *text = g_strdup_printf("%u", n);

        if (!(used >> n & 1)) {
            plan_device_decide(d, "x-image", text);
            return true;
        }
    }
    return error_set(err, ERROR_USER, "%s: at most %d loader devices can have a file",
                     plan_device_name(d), BOOT_LOADERS);
}

/* Make the file of a loader device a boot image. A device of a description keeps its number, and
 * the description has the path of the image. */
static bool boot_resolve_loader(Session *s, PlanDevice *d, GError **err)
{
    const char *file = boot_loader_file(d), *role;
    const PlanBootImage *b;

    if (file && !boot_loader_number(d) && !boot_choose_number(s, d, err)) {
        return false;
    }
    if (!boot_loader_number(d)) {
        return true;
    }
    role = boot_role_name(BOOT_LOADER + boot_loader_number(d) - 1);
    b = plan_find_boot(s->plan, role);
    if (file && (!b || g_strcmp0(b->path, file) != 0)) {
        set_path(s, BOOT_LOADER + boot_loader_number(d) - 1, file);
    } else if (!file && !b) {
        return error_set(err, ERROR_USER,
                         "%s: x-image=%u: the description has no image '%s'; give file=",
                         plan_device_name(d), boot_loader_number(d), role);
    }
    return true;
}

static bool boot_resolve_loaders(Session *s, GError **err)
{
    for (guint i = 0; i < s->plan->devices->len; i++) {
        PlanDevice *d = s->plan->devices->pdata[i];

        if (boot_is_loader(d) && !boot_resolve_loader(s, d, err)) {
            return false;
        }
    }
    return true;
}

bool boot_resolve(Session *s, GError **err)
{
    const BoardType *board = build_board(s);

    if (!board || !board->default_firmware) {
        return boot_nothing(s, err);
    }
    if (!choose_firmware(s, err)) {
        return false;
    }
    for (BootRole role = BOOT_KERNEL; role < BOOT_ROLES; role++) {
        if (option_of(s, role)) {
            set_path(s, role, option_of(s, role));
        }
    }
    if (!boot_resolve_loaders(s, err)) {
        return false;
    }
    if (s->append) {
        g_free(s->plan->append);
        s->plan->append = g_strdup(s->append);
    }
    s->plan->has_boot = true;
    return true;
}

/* --- files --- */

static bool check_stated(Session *s, BootRole role, const PlanBootImage *stated, GError **err)
{
    const BootImage *image = &s->boot->image[role];

    if (stated->size && stated->size != image->size) {
        return error_set(err, ERROR_USER,
                         "%s '%s' has %" G_GUINT64_FORMAT
                         " bytes, and the description states %" G_GUINT64_FORMAT,
                         boot_role_text(role), image->path, image->size, stated->size);
    }
    if (!stated->sha256 || !boot_images_hash(s->boot, role, err)) {
        return !stated->sha256;
    }
    if (strcmp(stated->sha256, image->sha256) != 0) {
        return error_set(err, ERROR_USER,
                         "%s '%s' has the SHA-256 %s, and the description states %s: to start from "
                         "another file, name it with %s",
                         boot_role_text(role), image->path, image->sha256, stated->sha256,
                         boot_option(role));
    }
    return true;
}

static bool open_image(Session *s, BootRole role, GError **err)
{
    PlanBootImage *b = plan_find_boot(s->plan, boot_role_name(role));
    BootImage *image = &s->boot->image[role];
    bool is_default = role == BOOT_FIRMWARE && s->default_firmware;

    if (!b) {
        image->given = role == BOOT_FIRMWARE && s->bios && !s->default_firmware;
        return true;
    }
    if (!b->path) {
        return error_set(err, ERROR_USER,
                         "the description has a %s of %" G_GUINT64_FORMAT
                         " bytes, but names no file of this host: give it with %s",
                         boot_role_text(role), b->size, boot_option(role));
    }
    if (!boot_images_open(s->boot, role, b->path, err)) {
        return false;
    }
    image->given = !is_default;
    if (!check_stated(s, role, b, err)) {
        return false;
    }
    b->size = image->size;
    return true;
}

bool boot_open(Session *s, GError **err)
{
    s->boot = boot_images_new();
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (!open_image(s, role, err)) {
            return false;
        }
    }
    s->given_boot = plan_machine_new();
    plan_set_boot(s->given_boot, s->plan);
    return true;
}

/* --- digests --- */

static bool boot_digests_known(const BootImages *b)
{
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (b->image[role].fd >= 0 && !b->image[role].sha256[0]) {
            return false;
        }
    }
    return true;
}

static void boot_enter_digests(PlanMachine *plan, const BootImages *b)
{
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        PlanBootImage *p = plan_find_boot(plan, boot_role_name(role));

        if (p && b->image[role].fd >= 0 && !p->sha256) {
            p->size = b->image[role].size;
            p->sha256 = g_strdup(b->image[role].sha256);
        }
    }
}

static gpointer hash_all(gpointer opaque)
{
    BootHash *h = opaque;

    for (BootRole role = 0; role < BOOT_ROLES && !h->error; role++) {
        boot_images_hash(h->images, role, &h->error);
    }
    g_atomic_int_set(&h->done, 1);
    return NULL;
}

static void hash_free(BootHash *h)
{
    if (h) {
        g_thread_join(h->thread);
        boot_images_free(h->images);
        g_clear_error(&h->error);
        g_free(h);
    }
}

static bool hash_start(Session *s, GError **err)
{
    BootHash *h = g_new0(BootHash, 1);

    h->images = boot_images_new();
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (s->m->boot->image[role].fd >= 0 &&
            !boot_images_share(h->images, role, &s->m->boot->image[role], err)) {
            boot_images_free(h->images);
            g_free(h);
            return false;
        }
    }
    h->thread = g_thread_new("boot-digests", hash_all, h);
    s->boot_hash = h;
    return true;
}

/* Store the results of the thread, which has ended, in the images of the machine. Return 1,
 * or -1 with @err set if an image could not be read. */
static int hash_take(Session *s, GError **err)
{
    g_autoptr(GError) why = g_steal_pointer(&s->boot_hash->error);

    for (BootRole role = 0; !why && role < BOOT_ROLES; role++) {
        g_strlcpy(s->m->boot->image[role].sha256, s->boot_hash->images->image[role].sha256,
                  BOOT_SHA256_TEXT);
    }
    g_clear_pointer(&s->boot_hash, hash_free);
    if (why) {
        g_propagate_error(err, g_steal_pointer(&why));
        return -1;
    }
    return 1;
}

int boot_digests(Session *s, bool wait, GError **err)
{
    int result = 1;

    if (!s->m->boot || !s->plan->has_boot) {
        return 1;
    }
    if (!boot_digests_known(s->m->boot)) {
        if (!s->boot_hash && !hash_start(s, err)) {
            return -1;
        }
        while (wait && !g_atomic_int_get(&s->boot_hash->done)) {
            machine_unlock(s->m);
            g_usleep(1000);
            machine_lock(s->m);
        }
        result = g_atomic_int_get(&s->boot_hash->done) ? hash_take(s, err) : 0;
    }
    if (result > 0) {
        boot_enter_digests(s->plan, s->m->boot);
    }
    return result;
}

bool boot_digests_now(Session *s, GError **err)
{
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        if (!boot_images_hash(s->boot, role, err)) {
            return false;
        }
    }
    boot_enter_digests(s->plan, s->boot);
    return true;
}

/* --- images of a migration stream --- */

void boot_use(Session *s, const PlanMachine *wanted, BootImages *images)
{
    plan_set_boot(s->plan, wanted);
    for (BootRole role = 0; role < BOOT_ROLES; role++) {
        PlanBootImage *b = plan_find_boot(s->plan, boot_role_name(role));

        if (b && images->image[role].path) {
            b->path = g_strdup(images->image[role].path);
        }
    }
    boot_images_free(s->stream_boot);
    s->stream_boot = s->m->boot = images;
}

void boot_forget(Session *s)
{
    g_clear_pointer(&s->boot_hash, hash_free);
    g_clear_pointer(&s->stream_boot, boot_images_free);
    s->m->boot = s->boot;
    plan_set_boot(s->plan, s->given_boot);
}

void boot_free(Session *s)
{
    g_clear_pointer(&s->boot_hash, hash_free);
    g_clear_pointer(&s->stream_boot, boot_images_free);
    g_clear_pointer(&s->boot, boot_images_free);
    g_clear_pointer(&s->given_boot, plan_machine_free);
}

/* --- dump-machine --- */

static bool write_failed(const char *path, GError **err)
{
    return error_set(err, ERROR_USER, "%s cannot be written: %s", path, g_strerror(errno));
}

/* Open the file for writing. An existing file is overwritten, so that its owner and mode are kept
 * and devices and pipes are accepted. */
static int open_output(const char *path, GError **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);

    if (fd < 0) {
        write_failed(path, err);
    }
    return fd;
}

static bool write_text(const char *path, const char *text, GError **err)
{
    int fd = open_output(path, err);
    size_t len = strlen(text);
    bool ok = fd >= 0;

    while (ok && len) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno != EINTR) {
            ok = write_failed(path, err);
        }
        text += MAX(n, 0);
        len -= (size_t)MAX(n, 0);
    }
    if (fd >= 0 && close(fd) < 0 && ok) {
        ok = write_failed(path, err);
    }
    return ok;
}

static bool write_image(const char *path, const BootImage *image, GError **err)
{
    int fd = open_output(path, err);
    off_t at = 0;
    bool ok = fd >= 0;

    while (ok && (uint64_t)at < image->size) {
        ssize_t n = sendfile(fd, image->fd, &at, MIN(image->size - (uint64_t)at, 1u << 30));

        errno = n == 0 ? EIO : errno;
        if (n <= 0 && errno != EINTR) {
            ok = write_failed(path, err);
        }
    }
    if (fd >= 0 && close(fd) < 0 && ok) {
        ok = write_failed(path, err);
    }
    return ok;
}

/* Write the images of a migration stream to files in the directory of the description @path, and
 * set their paths in @copy. */
static bool write_images(const Session *s, PlanMachine *copy, const char *path, GError **err)
{
    for (BootRole role = 0; s->m->boot && role < BOOT_ROLES; role++) {
        PlanBootImage *b = plan_find_boot(copy, boot_role_name(role));
        g_autofree char *name = g_strdup_printf("%s.%s", path, boot_role_name(role));

        if (!b || b->path) {
            continue;
        }
        if (!write_image(name, &s->m->boot->image[role], err)) {
            return false;
        }
        b->path = g_steal_pointer(&name);
    }
    return true;
}

bool boot_dump_machine(Session *s, const char *path, GError **err)
{
    g_autoptr(PlanMachine) copy = NULL;
    g_autofree char *text = NULL;

    if (!s->built) {
        return error_set(
            err, ERROR_USER,
            "the machine does not exist yet: the emulator waits for a migration stream");
    }
    if (boot_digests(s, true, err) < 0) {
        return false;
    }
    copy = plan_machine_copy(s->plan);
    if (!write_images(s, copy, path, err)) {
        return false;
    }
    text = plan_to_text(copy, s->catalog, false);
    return write_text(path, text, err);
}
