/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_front.c - equal times are left where Go leaves them: the expected orders (a hash of the numbers that the entries had) are what
 * slices.SortFunc of Go 1.26.8 makes of the same entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "read/front.h"

enum { MOST = 400 };

static const struct {
	uint64_t n, kinds, shape, order;
} sorted_by_go[] = {
	{ 5, 2, 0, 0x0f594dbf4f60002full },
	{ 5, 2, 1, 0x3378e3d0c52edfafull },
	{ 5, 2, 2, 0x7a062a2500400af3ull },
	{ 5, 2, 3, 0x3378e3d0c52edfafull },
	{ 5, 5, 0, 0x162cdac02c663f49ull },
	{ 5, 5, 1, 0x0d6ef6c0276ce529ull },
	{ 5, 5, 2, 0xc357202f39c121f5ull },
	{ 5, 5, 3, 0x0f66e1bf4f6b8607ull },
	{ 5, 50, 0, 0xf210a5aeb69a3a73ull },
	{ 5, 50, 1, 0xc350562f39bb5f09ull },
	{ 5, 50, 2, 0x7225f98d5dc34efbull },
	{ 5, 50, 3, 0x3378e3d0c52edfafull },
	{ 5, 1000000, 0, 0x721f2b8d5dbd8543ull },
	{ 5, 1000000, 1, 0xf57e322e1aee4a5bull },
	{ 5, 1000000, 2, 0xc0be143689a3587bull },
	{ 5, 1000000, 3, 0x3c25c2d0ca19be1dull },
	{ 12, 2, 0, 0xaad656c090000b07ull },
	{ 12, 2, 1, 0x2d7d4819416d7fb9ull },
	{ 12, 2, 2, 0xab30c497b10fc1c7ull },
	{ 12, 2, 3, 0x2d7d4819416d7fb9ull },
	{ 12, 5, 0, 0x4380083a4fb1bc89ull },
	{ 12, 5, 1, 0x0eebf24b0a342cafull },
	{ 12, 5, 2, 0xed192c41b87af7b5ull },
	{ 12, 5, 3, 0x49706cdd3555e241ull },
	{ 12, 50, 0, 0xc64257eb8939c9edull },
	{ 12, 50, 1, 0x90f7cfd98d4e6907ull },
	{ 12, 50, 2, 0x3ac76d193ccd4c05ull },
	{ 12, 50, 3, 0x7b8c5ed03dd512c7ull },
	{ 12, 1000000, 0, 0x4c18ee8c1bfc7881ull },
	{ 12, 1000000, 1, 0x9061ea1875134a5bull },
	{ 12, 1000000, 2, 0xbcbefc6db589fd5full },
	{ 12, 1000000, 3, 0x2d7d4819416d7fb9ull },
	{ 13, 2, 0, 0x693244371ef33b49ull },
	{ 13, 2, 1, 0xb96137ea2d10008full },
	{ 13, 2, 2, 0x3f96be978efe3101ull },
	{ 13, 2, 3, 0x1b3fdae0febede39ull },
	{ 13, 5, 0, 0x746d2110edacc3a9ull },
	{ 13, 5, 1, 0x12e8caee7ad5cad9ull },
	{ 13, 5, 2, 0x9653c605c81343d1ull },
	{ 13, 5, 3, 0xc6ab8ccf7130895bull },
	{ 13, 50, 0, 0x400d8ecbb5e8aabfull },
	{ 13, 50, 1, 0x77c98d36f8c7fb6bull },
	{ 13, 50, 2, 0xa872485373a48269ull },
	{ 13, 50, 3, 0xddc5ea0da7afd233ull },
	{ 13, 1000000, 0, 0xafc9c8bd694a4937ull },
	{ 13, 1000000, 1, 0xf6ba35a1f531ce75ull },
	{ 13, 1000000, 2, 0x171397e4fa4b1211ull },
	{ 13, 1000000, 3, 0x0e0ef3cc680654c9ull },
	{ 14, 2, 0, 0xa71e81a33dc72c4aull },
	{ 14, 2, 1, 0x103284ea9230dce6ull },
	{ 14, 2, 2, 0x4db4d419a5b11d36ull },
	{ 14, 2, 3, 0x2d30282d969f4e5eull },
	{ 14, 5, 0, 0x867810e826b219c0ull },
	{ 14, 5, 1, 0xdc5e690bccd6dc42ull },
	{ 14, 5, 2, 0xd8ca48e6482cf3a4ull },
	{ 14, 5, 3, 0x81c123e3aa373698ull },
	{ 14, 50, 0, 0x41dd9abd32e4d43cull },
	{ 14, 50, 1, 0x19d878a75400b5fcull },
	{ 14, 50, 2, 0x53a2408afae395dcull },
	{ 14, 50, 3, 0x02de3644cbb5dcb6ull },
	{ 14, 1000000, 0, 0xe6a6e881d41033caull },
	{ 14, 1000000, 1, 0xc1408d12054cec1cull },
	{ 14, 1000000, 2, 0x0f43916021240842ull },
	{ 14, 1000000, 3, 0x7c1884f3d96ea0ccull },
	{ 49, 2, 0, 0x88bb1c4ecb735c5full },
	{ 49, 2, 1, 0x360a5c9d3b1bf95full },
	{ 49, 2, 2, 0x4304fe33698fa9ebull },
	{ 49, 2, 3, 0x92024ebf40048d03ull },
	{ 49, 5, 0, 0x41e94af0b1e5d3d3ull },
	{ 49, 5, 1, 0xe89d681147d4d2a9ull },
	{ 49, 5, 2, 0x53620c4b4555f693ull },
	{ 49, 5, 3, 0x1575e6122a5d3c7full },
	{ 49, 50, 0, 0x08cfd11109529071ull },
	{ 49, 50, 1, 0x2d46b13bb7f10815ull },
	{ 49, 50, 2, 0x211802ece61fc7e7ull },
	{ 49, 50, 3, 0x60eabca0f8361da9ull },
	{ 49, 1000000, 0, 0x38650c501c668cedull },
	{ 49, 1000000, 1, 0xf35baf9a15d6c325ull },
	{ 49, 1000000, 2, 0xec2b5c04f82d3555ull },
	{ 49, 1000000, 3, 0xbbce3e7adcb328a9ull },
	{ 50, 2, 0, 0xc8b547f166f9a01cull },
	{ 50, 2, 1, 0xef94cd2b7088d5eaull },
	{ 50, 2, 2, 0x03420ad05be53744ull },
	{ 50, 2, 3, 0x81ee877a2ff7d1e4ull },
	{ 50, 5, 0, 0x7e0a4e4b97f1615eull },
	{ 50, 5, 1, 0xee0e3cc1f4df89d4ull },
	{ 50, 5, 2, 0x82d95cf80afe2506ull },
	{ 50, 5, 3, 0x6e3108614dae8094ull },
	{ 50, 50, 0, 0x6fe64553a7ea3940ull },
	{ 50, 50, 1, 0xd3fc56b6faa8debaull },
	{ 50, 50, 2, 0xe692348c0ae4fab8ull },
	{ 50, 50, 3, 0xd088e172d8f2202aull },
	{ 50, 1000000, 0, 0xa073532852a5b022ull },
	{ 50, 1000000, 1, 0xecc9d75c328424d2ull },
	{ 50, 1000000, 2, 0x1281d1385bbfbbc8ull },
	{ 50, 1000000, 3, 0xd55814a9a2ba7ecaull },
	{ 51, 2, 0, 0x33e41b6a569edac8ull },
	{ 51, 2, 1, 0xa2ae78d038835e08ull },
	{ 51, 2, 2, 0x74b92d883b79886eull },
	{ 51, 2, 3, 0xc766a386550ed4f2ull },
	{ 51, 5, 0, 0xce443a411420114eull },
	{ 51, 5, 1, 0x8bd50a2726c1427eull },
	{ 51, 5, 2, 0x3b6a500525c648caull },
	{ 51, 5, 3, 0x76353bdd9fea9cbaull },
	{ 51, 50, 0, 0xef23797c05280aeeull },
	{ 51, 50, 1, 0xfddca53eb9510916ull },
	{ 51, 50, 2, 0xbfea5dfa157534feull },
	{ 51, 50, 3, 0xf9c0642d57c5236aull },
	{ 51, 1000000, 0, 0x47e268bcf13c2dd4ull },
	{ 51, 1000000, 1, 0x89d73eba1bd2c7e0ull },
	{ 51, 1000000, 2, 0x53ab655f7233eb80ull },
	{ 51, 1000000, 3, 0x197114d284f550d2ull },
	{ 64, 2, 0, 0x00d596d2d7b7d363ull },
	{ 64, 2, 1, 0x8368214f77995ee5ull },
	{ 64, 2, 2, 0x1d7f25a0493080a5ull },
	{ 64, 2, 3, 0x6c2d56ebda7e6b73ull },
	{ 64, 5, 0, 0x6fb0cafeca241177ull },
	{ 64, 5, 1, 0xbce03e230bfa72b9ull },
	{ 64, 5, 2, 0x6d4c48deeb037fd9ull },
	{ 64, 5, 3, 0xe857c30916a15ff9ull },
	{ 64, 50, 0, 0xeb1d35cc70e268f3ull },
	{ 64, 50, 1, 0x1531930710c9e7b7ull },
	{ 64, 50, 2, 0xd6e0b624d5b538c1ull },
	{ 64, 50, 3, 0x163613c62164d1e5ull },
	{ 64, 1000000, 0, 0x790be5174e3c6f87ull },
	{ 64, 1000000, 1, 0xb701e16934fa7d13ull },
	{ 64, 1000000, 2, 0x05dae73d0a2390f1ull },
	{ 64, 1000000, 3, 0x26e4d2b5748589a1ull },
	{ 99, 2, 0, 0xbe05cb5c3ec9ba9eull },
	{ 99, 2, 1, 0xf25f6bfec7233868ull },
	{ 99, 2, 2, 0x58d1376ba7972704ull },
	{ 99, 2, 3, 0x80a661cdae36bbf8ull },
	{ 99, 5, 0, 0xad9f86c587788e00ull },
	{ 99, 5, 1, 0xd49855943a14de7eull },
	{ 99, 5, 2, 0xca55e803eecb9c98ull },
	{ 99, 5, 3, 0x59e4975c0859796cull },
	{ 99, 50, 0, 0xd15451aa33b1c7e6ull },
	{ 99, 50, 1, 0x96d36421b8c6dc04ull },
	{ 99, 50, 2, 0xe9acdd00d8049178ull },
	{ 99, 50, 3, 0x529d04515e358152ull },
	{ 99, 1000000, 0, 0x685952f0084fe0aaull },
	{ 99, 1000000, 1, 0x38bc772d281e6e56ull },
	{ 99, 1000000, 2, 0xd66aef9d668aa6b0ull },
	{ 99, 1000000, 3, 0xada9752d513da0a6ull },
	{ 100, 2, 0, 0xcfc1e71a4c889f25ull },
	{ 100, 2, 1, 0xfb5c8cec60d83ab1ull },
	{ 100, 2, 2, 0x3ef1ce8a52dfe577ull },
	{ 100, 2, 3, 0xb21518d224b4c02bull },
	{ 100, 5, 0, 0x811e5f8412677bfbull },
	{ 100, 5, 1, 0x4f240cd9fb4b99a5ull },
	{ 100, 5, 2, 0x5d0cfc63d2c9cfc7ull },
	{ 100, 5, 3, 0x8fd3e27f040417d3ull },
	{ 100, 50, 0, 0x4c19956b5ca023efull },
	{ 100, 50, 1, 0xf2aaaf730e162bc3ull },
	{ 100, 50, 2, 0x5e73945ed62ea8d9ull },
	{ 100, 50, 3, 0xc4840a611e484395ull },
	{ 100, 1000000, 0, 0x225490457be85085ull },
	{ 100, 1000000, 1, 0x8209c1400cada329ull },
	{ 100, 1000000, 2, 0x49dd86eaabd229f1ull },
	{ 100, 1000000, 3, 0x1660d1460fa35743ull },
	{ 257, 2, 0, 0x332a4239a9126e6full },
	{ 257, 2, 1, 0x5ad384d356b6b3dfull },
	{ 257, 2, 2, 0x4c0eb4583aad181full },
	{ 257, 2, 3, 0xe4b3da180c38ccd9ull },
	{ 257, 5, 0, 0x4943d1178831ef65ull },
	{ 257, 5, 1, 0xb065ebb10cac4383ull },
	{ 257, 5, 2, 0x60daa97a7c1d3799ull },
	{ 257, 5, 3, 0xab42437282fbd741ull },
	{ 257, 50, 0, 0x7c62fd0bce8c52abull },
	{ 257, 50, 1, 0x6c01ccfcdefbb9ffull },
	{ 257, 50, 2, 0xcb089820873140d1ull },
	{ 257, 50, 3, 0xc7f9aa6803cbffffull },
	{ 257, 1000000, 0, 0x151d727c810e713full },
	{ 257, 1000000, 1, 0x3bd6eecad687e8d9ull },
	{ 257, 1000000, 2, 0xa1cad86dcab45e07ull },
	{ 257, 1000000, 3, 0xfe8a75fcbcd3d675ull },
	{ 400, 2, 0, 0xf1de6f5c75cfdeedull },
	{ 400, 2, 1, 0x21bef730738ce3f5ull },
	{ 400, 2, 2, 0xafa2605f8afd080bull },
	{ 400, 2, 3, 0xa4d07d186c3ef461ull },
	{ 400, 5, 0, 0x1335b42312ff0363ull },
	{ 400, 5, 1, 0xaabcc6352aee3e35ull },
	{ 400, 5, 2, 0x7d88e33314741f39ull },
	{ 400, 5, 3, 0x3f21626bb225e1b7ull },
	{ 400, 50, 0, 0x1cd48eed5f8b109bull },
	{ 400, 50, 1, 0x5ec46c62ffa8ffcdull },
	{ 400, 50, 2, 0x1156a00da57f2b3full },
	{ 400, 50, 3, 0xebf53dceb71ec241ull },
	{ 400, 1000000, 0, 0xbf719f70e1d0e85dull },
	{ 400, 1000000, 1, 0xa2a38e3c4742c45bull },
	{ 400, 1000000, 2, 0x90ace3c88aab4497ull },
	{ 400, 1000000, 3, 0x0802eb821f57fd17ull },
};

/* Few or many different times, at random, rising, falling, or sorted but for some. */
static void fill(struct front *h, uint64_t n, uint64_t kinds, uint64_t shape)
{
	uint64_t x = n * 1000003 + kinds * 17 + shape;

	for (uint64_t i = 0; i < n; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		int64_t t = (int64_t)((x >> 33) % kinds);

		if (shape == 1)
			t += (int64_t)i;
		if (shape == 2)
			t -= (int64_t)i;
		if (shape == 3)
			t = (x >> 40) % 9 == 0 ? (int64_t)((x >> 20) % n) : (int64_t)(i / (kinds % 7 + 1));
		h[i] = (struct front){ t, (struct stream *)(uintptr_t)i };
	}
}

static void equal_times_are_left_where_go_leaves_them(void **state)
{
	for (size_t k = 0; k < sizeof(sorted_by_go) / sizeof(sorted_by_go[0]); k++) {
		struct front h[MOST];
		uint64_t order = 14695981039346656037ull;

		fill(h, sorted_by_go[k].n, sorted_by_go[k].kinds, sorted_by_go[k].shape);
		front_sort(h, sorted_by_go[k].n);
		for (uint64_t i = 0; i < sorted_by_go[k].n; i++) {
			order = (order ^ (uintptr_t)h[i].stream) * 1099511628211ull;
			assert_true(!i || h[i - 1].time_ns <= h[i].time_ns);
		}
		if (order != sorted_by_go[k].order)
			fail_msg("%lu entries, %lu kinds, shape %lu", (unsigned long)sorted_by_go[k].n,
				 (unsigned long)sorted_by_go[k].kinds, (unsigned long)sorted_by_go[k].shape);
	}
}

static void a_heap_gives_the_earliest_first(void **state)
{
	struct front h[MOST];
	size_t n = 0;

	fill(h, MOST, 50, 0);
	for (; n < MOST; n++)
		front_sift_up(h, n);
	for (int64_t before = -1; n > 0; n--) {
		assert_true(h[0].time_ns >= before);
		before = h[0].time_ns;
		if (n > 1 && n % 3 == 0 && h[n / 2].time_ns == before)
			front_remove(h, n, n / 2); /* as good as the root */
		else
			front_remove(h, n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_times_are_left_where_go_leaves_them),
		cmocka_unit_test(a_heap_gives_the_earliest_first),
	};

	return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
