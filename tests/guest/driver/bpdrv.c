// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpdrv: a Linux driver for the two test devices, `ticker` (1234:71c4) and `edu` (1234:11e8).
 *
 * It takes MSI-X, MSI or INTx, whichever the device offers, counts what arrives and shows it in
 * sysfs: /sys/bus/pci/drivers/bpdrv/ADDRESS/report. Writing to `command` beside it does
 *   start | stop    the ticker's countdown, with its interrupt
 *   factorial N     edu computes N! and interrupts; the result is checked
 *   dma N           edu copies N bytes in and back out by DMA, each with an interrupt; compared
 * and fails with EIO where the device answered wrongly, ETIMEDOUT where no interrupt came.
 * Loading it starts every ticker and runs both edu commands once, unless selftest=0.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>

#define BP_VENDOR 0x1234

#define TICKER_DEVICE	      0x71c4
#define TICKER_ID_VALUE	      0x7469636b
#define TICKER_ID	      0x00
#define TICKER_CTRL	      0x04
#define TICKER_CTRL_RUN	      BIT(0)
#define TICKER_CTRL_IRQ	      BIT(1)
#define TICKER_STATUS	      0x08
#define TICKER_STATUS_EXPIRED BIT(0)
#define TICKER_FIRED	      0x0c

#define EDU_DEVICE	     0x11e8
#define EDU_ID_LOW	     0x00ed
#define EDU_ID		     0x00
#define EDU_LIVE	     0x04
#define EDU_FACTORIAL	     0x08
#define EDU_STATUS	     0x20
#define EDU_STATUS_COMPUTING BIT(0)
#define EDU_STATUS_IRQ	     BIT(7)
#define EDU_IRQ_STATUS	     0x24
#define EDU_IRQ_FACTORIAL    BIT(0)
#define EDU_IRQ_DMA	     BIT(8)
#define EDU_IRQ_ACK	     0x64
#define EDU_DMA_SRC	     0x80
#define EDU_DMA_DST	     0x88
#define EDU_DMA_COUNT	     0x90
#define EDU_DMA_CMD	     0x98
#define EDU_DMA_START	     BIT(0)
#define EDU_DMA_TO_RAM	     BIT(1)
#define EDU_DMA_WITH_IRQ     BIT(2)
#define EDU_BUFFER	     0x40000
#define EDU_BUFFER_SIZE	     4096

static bool selftest = true;
module_param(selftest, bool, 0444);
MODULE_PARM_DESC(selftest, "start tickers and exercise edu when the driver binds");

static unsigned int dma_bits = 32;
module_param(dma_bits, uint, 0444);
MODULE_PARM_DESC(dma_bits, "address bits of edu's DMA (its dma_mask property)");

struct bp_device;

/* What differs between the two devices. */
struct bp_kind {
	const char *name;
	u32 (*interrupt)(struct bp_device *bp);
	int (*identify)(struct bp_device *bp);
	int (*command)(struct bp_device *bp, const char *word, unsigned long arg);
	int (*selftest)(struct bp_device *bp);
	void (*stop)(struct bp_device *bp);
};

struct bp_device {
	struct pci_dev *pdev;
	const struct bp_kind *kind;
	void __iomem *regs;
	int irq;
	atomic_t irqs;
	u32 cause;
	struct completion came;
	struct mutex lock;
	char irq_name[40];
	const char *last;
};

static const char *bp_irq_kind(struct bp_device *bp)
{
	if (bp->pdev->msix_enabled)
		return "MSI-X";
	return bp->pdev->msi_enabled ? "MSI" : "INTx";
}

static irqreturn_t bp_interrupt(int irq, void *arg)
{
	struct bp_device *bp = arg;
	u32 cause = bp->kind->interrupt(bp);

	if (!cause)
		return IRQ_NONE;
	atomic_inc(&bp->irqs);
	bp->cause = cause;
	complete(&bp->came);
	return IRQ_HANDLED;
}

/* Waits for one interrupt whose cause is expected. */
static int bp_wait(struct bp_device *bp, u32 cause)
{
	if (!wait_for_completion_timeout(&bp->came, 5 * HZ))
		return -ETIMEDOUT;
	return bp->cause & cause ? 0 : -EIO;
}

static u32 ticker_interrupt(struct bp_device *bp)
{
	u32 status = readl(bp->regs + TICKER_STATUS);

	if (status)
		writel(status, bp->regs + TICKER_STATUS);
	return status & TICKER_STATUS_EXPIRED;
}

static int ticker_identify(struct bp_device *bp)
{
	return readl(bp->regs + TICKER_ID) == TICKER_ID_VALUE ? 0 : -ENODEV;
}

static void ticker_stop(struct bp_device *bp)
{
	writel(0, bp->regs + TICKER_CTRL);
	writel(TICKER_STATUS_EXPIRED, bp->regs + TICKER_STATUS);
}

static int ticker_start(struct bp_device *bp)
{
	reinit_completion(&bp->came);
	writel(TICKER_CTRL_RUN | TICKER_CTRL_IRQ, bp->regs + TICKER_CTRL);
	return bp_wait(bp, TICKER_STATUS_EXPIRED);
}

static int ticker_command(struct bp_device *bp, const char *word, unsigned long arg)
{
	if (!strcmp(word, "start"))
		return ticker_start(bp);
	if (strcmp(word, "stop"))
		return -EINVAL;
	ticker_stop(bp);
	return 0;
}

static u32 edu_interrupt(struct bp_device *bp)
{
	u32 status = readl(bp->regs + EDU_IRQ_STATUS);

	if (status)
		writel(status, bp->regs + EDU_IRQ_ACK);
	return status;
}

static int edu_identify(struct bp_device *bp)
{
	u32 probe = get_random_u32();

	if ((readl(bp->regs + EDU_ID) & 0xffff) != EDU_ID_LOW)
		return -ENODEV;
	writel(probe, bp->regs + EDU_LIVE);
	return readl(bp->regs + EDU_LIVE) == ~probe ? 0 : -EIO;
}

static void edu_stop(struct bp_device *bp)
{
	writel(0, bp->regs + EDU_STATUS);
}

static int edu_factorial(struct bp_device *bp, unsigned long n)
{
	u32 want = 1, got;
	int ret;

	for (u32 i = 2; i <= n && i <= 64; i++)
		want *= i;
	reinit_completion(&bp->came);
	writel(EDU_STATUS_IRQ, bp->regs + EDU_STATUS);
	writel(n, bp->regs + EDU_FACTORIAL);
	ret = bp_wait(bp, EDU_IRQ_FACTORIAL);
	writel(0, bp->regs + EDU_STATUS);
	got = readl(bp->regs + EDU_FACTORIAL);
	if (!ret && got != want)
		ret = -EIO;
	dev_info(&bp->pdev->dev, "bpdrv: factorial %lu = %u: %d\n", n, got, ret);
	return ret;
}

static int edu_copy(struct bp_device *bp, u64 from, u64 to, u64 count, u32 direction)
{
	reinit_completion(&bp->came);
	writeq(from, bp->regs + EDU_DMA_SRC);
	writeq(to, bp->regs + EDU_DMA_DST);
	writeq(count, bp->regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_START | EDU_DMA_WITH_IRQ | direction, bp->regs + EDU_DMA_CMD);
	return bp_wait(bp, EDU_IRQ_DMA);
}

static int edu_dma(struct bp_device *bp, unsigned long count)
{
	struct device *dev = &bp->pdev->dev;
	dma_addr_t at;
	u8 *mem;
	int ret;

	if (!count || count > EDU_BUFFER_SIZE)
		return -EINVAL;
	mem = dma_alloc_coherent(dev, 2 * count, &at, GFP_KERNEL);
	if (!mem)
		return -ENOMEM;
	get_random_bytes(mem, count);
	memset(mem + count, 0, count);
	ret = edu_copy(bp, at, EDU_BUFFER, count, 0);
	if (!ret)
		ret = edu_copy(bp, EDU_BUFFER, at + count, count, EDU_DMA_TO_RAM);
	if (!ret && memcmp(mem, mem + count, count))
		ret = -EIO;
	dma_free_coherent(dev, 2 * count, mem, at);
	dev_info(dev, "bpdrv: dma %lu bytes there and back: %d\n", count, ret);
	return ret;
}

static int edu_command(struct bp_device *bp, const char *word, unsigned long arg)
{
	if (!strcmp(word, "factorial"))
		return edu_factorial(bp, arg);
	return strcmp(word, "dma") ? -EINVAL : edu_dma(bp, arg);
}

static int edu_selftest(struct bp_device *bp)
{
	int ret = edu_factorial(bp, 10);

	return ret ? ret : edu_dma(bp, EDU_BUFFER_SIZE / 2);
}

static const struct bp_kind bp_ticker = {
	.name = "ticker",
	.interrupt = ticker_interrupt,
	.identify = ticker_identify,
	.command = ticker_command,
	.selftest = ticker_start,
	.stop = ticker_stop,
};
static const struct bp_kind bp_edu = {
	.name = "edu",
	.interrupt = edu_interrupt,
	.identify = edu_identify,
	.command = edu_command,
	.selftest = edu_selftest,
	.stop = edu_stop,
};

static ssize_t report_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct bp_device *bp = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s %s irq=%s vector=%d irqs=%d last=%s\n", bp->kind->name,
			  pci_name(bp->pdev), bp_irq_kind(bp), bp->irq, atomic_read(&bp->irqs),
			  bp->last);
}
static DEVICE_ATTR_RO(report);

static const char *bp_outcome(int ret)
{
	return !ret ? "ok" : ret == -ETIMEDOUT ? "no-interrupt" : "wrong";
}

static ssize_t command_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	struct bp_device *bp = dev_get_drvdata(dev);
	unsigned long arg = 0;
	char word[16];
	int ret;

	if (sscanf(buf, "%15s %lu", word, &arg) < 1)
		return -EINVAL;
	mutex_lock(&bp->lock);
	ret = bp->kind->command(bp, word, arg);
	bp->last = bp_outcome(ret);
	mutex_unlock(&bp->lock);
	return ret ? ret : count;
}
static DEVICE_ATTR_WO(command);

static struct attribute *bp_attrs[] = { &dev_attr_report.attr, &dev_attr_command.attr, NULL };
ATTRIBUTE_GROUPS(bp);

static void bp_free_vectors(void *pdev)
{
	pci_free_irq_vectors(pdev);
}

static int bp_take_interrupt(struct bp_device *bp)
{
	struct pci_dev *pdev = bp->pdev;
	int ret = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_ALL_TYPES);

	if (ret < 0)
		return ret;
	ret = devm_add_action_or_reset(&pdev->dev, bp_free_vectors, pdev);
	if (ret)
		return ret;
	bp->irq = pci_irq_vector(pdev, 0);
	snprintf(bp->irq_name, sizeof(bp->irq_name), "bpdrv-%s %s", bp->kind->name, pci_name(pdev));
	return devm_request_irq(&pdev->dev, bp->irq, bp_interrupt, IRQF_SHARED, bp->irq_name, bp);
}

static int bp_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bp_device *bp = devm_kzalloc(&pdev->dev, sizeof(*bp), GFP_KERNEL);
	int ret;

	if (!bp)
		return -ENOMEM;
	bp->pdev = pdev;
	bp->kind = id->device == TICKER_DEVICE ? &bp_ticker : &bp_edu;
	bp->last = "none";
	init_completion(&bp->came);
	mutex_init(&bp->lock);
	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), "bpdrv");
	if (ret)
		return ret;
	bp->regs = pcim_iomap_table(pdev)[0];
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(dma_bits));
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "bpdrv: no DMA with %u address bits\n",
				     dma_bits);
	pci_set_master(pdev);
	pci_set_drvdata(pdev, bp);
	ret = bp->kind->identify(bp);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "bpdrv: not a %s\n", bp->kind->name);
	ret = bp_take_interrupt(bp);
	if (ret)
		return dev_err_probe(&pdev->dev, ret, "bpdrv: no interrupt\n");
	if (selftest)
		bp->last = bp_outcome(bp->kind->selftest(bp));
	dev_info(&pdev->dev, "bpdrv: %s with %s, vector %d, self-test %s\n", bp->kind->name,
		 bp_irq_kind(bp), bp->irq, bp->last);
	return 0;
}

static void bp_remove(struct pci_dev *pdev)
{
	struct bp_device *bp = pci_get_drvdata(pdev);

	bp->kind->stop(bp);
	dev_info(&pdev->dev, "bpdrv: %s removed after %d interrupts\n", bp->kind->name,
		 atomic_read(&bp->irqs));
}

static const struct pci_device_id bp_ids[] = { { PCI_DEVICE(BP_VENDOR, TICKER_DEVICE) },
					       { PCI_DEVICE(BP_VENDOR, EDU_DEVICE) },
					       {} };
MODULE_DEVICE_TABLE(pci, bp_ids);

static struct pci_driver bp_driver = {
	.name = "bpdrv",
	.id_table = bp_ids,
	.probe = bp_probe,
	.remove = bp_remove,
	.dev_groups = bp_groups,
};
module_pci_driver(bp_driver);

MODULE_DESCRIPTION("test driver for the PCI devices ticker and edu");
MODULE_LICENSE("GPL");
