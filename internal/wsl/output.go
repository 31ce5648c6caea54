package wsl

import "sync"

// maxOutput bounds what is kept of a program's output: the last bytes tell
// what went wrong, however much came before.
const maxOutput = 64 << 10

// tail is a writer that keeps the last maxOutput bytes, an even number of
// bytes from the start so that UTF-16 is not split.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxOutput; over > maxOutput {
		over += over % 2
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf
	if over := len(b) - maxOutput; over > 0 {
		b = b[over+over%2:]
	}
	return Decode(b)
}
