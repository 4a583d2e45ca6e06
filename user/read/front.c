/* SPDX-License-Identifier: Apache-2.0 */
/* front.c - see front.h. */
#include "read/front.h"

void front_remove(struct front *h, size_t n, size_t i)
{
	for (; i > 0; i = (i - 1) / 2) /* to the root, whatever its time */
		front_swap(h, i, (i - 1) / 2);
	h[0] = h[n - 1];
	front_sift_down(h, n - 1, 0);
}

/* ------------------------------------------------------------------------------- sort */

enum { FEW = 12, NINTHER = 50, SHIFTED = 50, PATIENCE = 5, ALL_SWAPPED = 12 };

static void insertion(struct front *h, size_t a, size_t b)
{
	for (size_t i = a + 1; i < b; i++)
		for (size_t k = i; k > a && front_less(h, k, k - 1); k--)
			front_swap(h, k, k - 1);
}

/* Largest to the root of the heap of n entries from h on. */
static void largest_down(struct front *h, size_t n, size_t root)
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && front_less(h, child, child + 1))
			child++;
		if (!front_less(h, root, child))
			return;
		front_swap(h, root, child);
	}
}

static void heap_sort(struct front *h, size_t n)
{
	for (size_t i = (n - 1) / 2 + 1; i-- > 0;)
		largest_down(h, n, i);
	for (size_t i = n; i-- > 0;) {
		front_swap(h, 0, i);
		largest_down(h, i, 0);
	}
}

/* Of three places the one of the middle time; counts the pairs that were the wrong way round. */
static size_t middle(const struct front *h, size_t a, size_t b, size_t c, unsigned *swapped)
{
	size_t x;

	if (front_less(h, b, a))
		x = a, a = b, b = x, ++*swapped;
	if (front_less(h, c, b))
		b = c, ++*swapped;
	if (front_less(h, b, a))
		b = a, ++*swapped;
	return b;
}

static size_t choose_pivot(const struct front *h, size_t a, size_t b, unsigned *swapped)
{
	size_t quarter = (b - a) / 4, p[3] = { a + quarter, a + 2 * quarter, a + 3 * quarter };

	*swapped = 0;
	for (size_t i = 0; i < 3 && b - a >= NINTHER; i++)
		p[i] = middle(h, p[i] - 1, p[i], p[i] + 1, swapped);
	return middle(h, p[0], p[1], p[2], swapped);
}

/* Of what looks sorted: is it, after at most PATIENCE repairs? */
static bool nearly_sorted(struct front *h, size_t a, size_t b)
{
	size_t i = a + 1;

	for (unsigned tries = 0; tries < PATIENCE; tries++) {
		while (i < b && !front_less(h, i, i - 1))
			i++;
		if (i == b)
			return true;
		if (b - a < SHIFTED)
			return false;
		front_swap(h, i, i - 1);
		for (size_t k = i - 1; i - a >= 2 && k >= 1 && front_less(h, k, k - 1); k--)
			front_swap(h, k, k - 1);
		for (size_t k = i + 1; k < b && front_less(h, k, k - 1); k++)
			front_swap(h, k, k - 1);
	}
	return false;
}

/* Scatters three entries from the middle, the same ones for the same length. */
static void break_pattern(struct front *h, size_t a, size_t n)
{
	uint64_t random = n, mask = (1ull << (64 - __builtin_clzll(n))) - 1;

	for (size_t i = a + n / 4 * 2 - 1; i <= a + n / 4 * 2 + 1; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		size_t other = random & mask;

		front_swap(h, i, a + (other >= n ? other - n : other));
	}
}

/* Smaller ones before, the rest behind the pivot, whose place is returned. */
static size_t partition(struct front *h, size_t a, size_t b, size_t pivot, bool *was_so)
{
	size_t i = a + 1, k = b - 1;

	front_swap(h, a, pivot);
	for (*was_so = true;; *was_so = false) {
		while (i <= k && front_less(h, i, a))
			i++;
		while (i <= k && !front_less(h, k, a))
			k--;
		if (i > k)
			break;
		front_swap(h, i++, k--);
	}
	front_swap(h, k, a);
	return k;
}

/* Those of the pivot's time first, when none is smaller; where the others begin is returned. */
static size_t partition_equal(struct front *h, size_t a, size_t b, size_t pivot)
{
	size_t i = a + 1, k = b - 1;

	front_swap(h, a, pivot);
	for (;;) {
		while (i <= k && !front_less(h, a, i))
			i++;
		while (i <= k && front_less(h, a, k))
			k--;
		if (i > k)
			return i;
		front_swap(h, i++, k--);
	}
}

static void sort_part(struct front *h, size_t a, size_t b, unsigned patience)
{
	bool was_balanced = true, was_partitioned = true;

	while (b - a > FEW) {
		size_t n = b - a;
		unsigned swapped;

		if (!patience) {
			heap_sort(h + a, n);
			return;
		}
		if (!was_balanced) {
			break_pattern(h, a, n);
			patience--;
		}
		size_t pivot = choose_pivot(h, a, b, &swapped);

		if (swapped == ALL_SWAPPED) { /* it runs downwards */
			for (size_t i = a, k = b - 1; i < k; i++, k--)
				front_swap(h, i, k);
			pivot = b - 1 - (pivot - a);
			swapped = 0;
		}
		if (was_balanced && was_partitioned && !swapped && nearly_sorted(h, a, b))
			return;
		if (a > 0 && !front_less(h, a - 1, pivot)) {
			a = partition_equal(h, a, b, pivot);
			continue;
		}
		size_t mid = partition(h, a, b, pivot, &was_partitioned);

		/* the smaller side by recursion */
		if (mid - a < b - mid) {
			was_balanced = mid - a >= n / 8;
			sort_part(h, a, mid, patience);
			a = mid + 1;
		} else {
			was_balanced = b - mid >= n / 8;
			sort_part(h, mid + 1, b, patience);
			b = mid;
		}
	}
	insertion(h, a, b);
}

void front_sort(struct front *h, size_t n)
{
	if (n > 1)
		sort_part(h, 0, n, 64u - (unsigned)__builtin_clzll(n));
}
