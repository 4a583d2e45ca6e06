//go:build go1.23

package work

import "iter"

func init() {
	Register("iter", "iter.Pull: coroutine switches, some iterators end early", true, iterators)
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// iterators counts a switch each way per value; stop and the end of a sequence switch too.
func iterators(r *Run) {
	var pulls, made, early, sum int64
	pace := r.pacer()
	for !r.Over() {
		next, stop := iter.Pull(upTo(100))
		made++
		for {
			v, ok := next()
			pulls++
			if !ok {
				break
			}
			sum += int64(v)
			if made%3 == 0 && v == 10 {
				early++
				break
			}
		}
		stop()
		pace.wait()
	}
	r.Add("iter.created", made)
	r.Add("iter.pulls", pulls)
	r.Add("iter.early", early)
	r.Add("iter.switches", 2*(pulls+early))
	r.Add("iter.sum", sum)
}
