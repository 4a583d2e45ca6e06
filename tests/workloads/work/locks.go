package work

import (
	"sync"
	"sync/atomic"
	"time"
)

func init() {
	Register("mutex", "a fight for one mutex", true, mutex)
	Register("rwmutex", "readers and a writer", true, rwmutex)
	Register("cond", "waiters on a condition", true, cond)
	Register("waitgroup", "wait groups", true, waitGroup)
	Register("once", "goroutines that wait in sync.Once", true, once)
	Register("sleep", "sleepers", true, sleepers)
	Register("timers", "timers that fire, are reset and stopped", true, timers)
	Register("tickers", "tickers", true, tickers)
}

// burn keeps the CPU for about n nanoseconds on a machine of our time.
func burn(n int) (x uint32) {
	x = 1
	for i := 0; i < n; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}

var sink uint32

func mutex(r *Run) {
	var mu sync.Mutex
	held := 0
	total := r.Count("mutex.locks")
	together(r.size(6), func(int) {
		n, pace := int64(0), r.pacer()
		for !r.Over() {
			mu.Lock()
			held++
			sink += burn(2000)
			mu.Unlock()
			n++
			burn(500)
			pace.wait()
		}
		atomic.AddInt64(total, n)
	})
	r.Add("mutex.held", int64(held))
}

func rwmutex(r *Run) {
	var mu sync.RWMutex
	value := 0
	reads := r.Count("rwmutex.reads")
	together(r.size(4)+1, func(i int) {
		n, pace := int64(0), r.pacer()
		for !r.Over() {
			if i == 0 {
				mu.Lock()
				value++
				burn(5000)
				mu.Unlock()
				time.Sleep(200 * time.Microsecond)
				continue
			}
			mu.RLock()
			_ = value
			burn(1000)
			mu.RUnlock()
			n++
			pace.wait()
		}
		atomic.AddInt64(reads, n)
	})
	r.Add("rwmutex.writes", int64(value))
}

func cond(r *Run) {
	var mu sync.Mutex
	c := sync.NewCond(&mu)
	turn, over := 0, false
	wakes := r.Count("cond.wakes")
	var wg sync.WaitGroup
	for i := 0; i < r.size(4); i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := int64(0)
			mu.Lock()
			for seen := turn; !over; seen = turn {
				for turn == seen && !over {
					c.Wait()
					n++
				}
			}
			mu.Unlock()
			atomic.AddInt64(wakes, n)
		}()
	}
	for n := 0; !r.Over(); n++ {
		mu.Lock()
		turn++
		mu.Unlock()
		if n%2 == 0 {
			c.Broadcast()
		} else {
			c.Signal()
		}
		time.Sleep(100 * time.Microsecond)
	}
	mu.Lock()
	over = true
	mu.Unlock()
	c.Broadcast()
	wg.Wait()
	r.Add("cond.turns", int64(turn))
}

func waitGroup(r *Run) {
	rounds, pace := int64(0), r.pacer()
	for !r.Over() {
		var wg sync.WaitGroup
		wg.Add(3)
		for i := 0; i < 3; i++ {
			go func() { // work.waitGroup.func1
				burn(3000)
				wg.Done()
			}()
		}
		wg.Wait()
		rounds++
		pace.wait()
	}
	r.Add("waitgroup.rounds", rounds)
	r.Add("waitgroup.created", 3*rounds)
}

func once(r *Run) {
	rounds := int64(0)
	for !r.Over() {
		var o sync.Once
		together(3, func(int) {
			o.Do(func() { time.Sleep(500 * time.Microsecond) })
		})
		rounds++
	}
	r.Add("once.rounds", rounds)
}

func sleepers(r *Run) {
	total := r.Count("sleep.sleeps")
	together(r.size(5), func(i int) {
		n := int64(0)
		for !r.Over() {
			time.Sleep(time.Duration(i+1) * time.Millisecond)
			n++
		}
		atomic.AddInt64(total, n)
	})
}

func timers(r *Run) {
	var fired, stopped int64
	called := r.Count("timers.afterfunc")
	for !r.Over() {
		t := time.NewTimer(time.Millisecond)
		<-t.C
		fired++
		t.Reset(time.Hour)
		if t.Stop() {
			stopped++
		}
		ran := make(chan struct{})
		time.AfterFunc(500*time.Microsecond, func() { // work.timers.func1
			atomic.AddInt64(called, 1)
			close(ran)
		})
		<-ran
	}
	r.Add("timers.fired", fired)
	r.Add("timers.stopped", stopped)
}

func tickers(r *Run) {
	total := r.Count("tickers.ticks")
	together(r.size(3), func(i int) {
		t := time.NewTicker(time.Duration(i+1) * time.Millisecond)
		defer t.Stop()
		n := int64(0)
		for {
			select {
			case <-t.C:
				n++
			case <-r.Done():
				atomic.AddInt64(total, n)
				return
			}
		}
	})
}
