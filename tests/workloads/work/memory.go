package work

import (
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"sync/atomic"
	"time"
)

func init() {
	Register("gc", "allocates and drops: a collection every few milliseconds", true, gc)
	Register("stw", "stops the world by every public call that does", true, stw)
}

// gcCycles asks without stopping the world.
func gcCycles() uint64 {
	s := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func threadsCreated() int64 {
	return int64(pprof.Lookup("threadcreate").Count())
}

type node struct {
	left, right *node
	payload     [48]byte
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

func gc(r *Run) {
	total := r.Count("gc.trees")
	together(r.size(2), func(int) {
		keep := make([]*node, 8)
		n, pace := int64(0), r.pacer()
		for !r.Over() {
			keep[n%8] = tree(10)
			n++
			pace.wait()
		}
		runtime.KeepAlive(keep)
		atomic.AddInt64(total, n)
	})
	runtime.GC() // a forced cycle too
}

func stw(r *Run) {
	var mem, procs, prof, forced int64
	was := runtime.GOMAXPROCS(0)
	for i := 0; !r.Over(); i++ {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		mem++
		if i%5 == 0 {
			runtime.GOMAXPROCS(was + 1)
			runtime.GOMAXPROCS(was)
			procs += 2
		}
		if i%7 == 0 {
			pprof.Lookup("goroutine").WriteTo(io.Discard, 1)
			prof++
		}
		if i%50 == 0 {
			debug.FreeOSMemory()
			forced++
		}
		if i%11 == 0 {
			sink += uint32(allStacks())
		}
		time.Sleep(2 * time.Millisecond)
	}
	r.Add("stw.memstats", mem)
	r.Add("stw.gomaxprocs", procs)
	r.Add("stw.goroutine_profiles", prof)
	r.Add("stw.forced_gcs", forced)
}

func allStacks() int { return runtime.Stack(make([]byte, 1<<16), true) }
