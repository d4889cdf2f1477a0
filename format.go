package tidemill

// Message is one message of a transport that carries bytes: a line of a file, a request to a server, a record of a
// topic.
type Message struct {
	// Topic is the stream that the message belongs to; "" leaves that to the transport.
	Topic string
	// Key says what the message is about: messages of one key keep their order, and where a transport keeps only the
	// last message of a key, the later one replaces the earlier. Empty is no key.
	Key []byte
	// Value is what is said; nil is a tombstone: what has this key is gone. A transport without keys leaves it out.
	Value []byte
	// Headers go beside the value where the transport has them, such as Content-Type. They are shared: nobody changes
	// them.
	Headers []Attr
}

// Format is how outputs are written as bytes. A transport, such as the sink file or webhook, is given one.
//
// The goroutine of one sink calls it, so a Format that keeps something between calls is made once per sink. It is pure
// otherwise: equal outputs give equal bytes, also on a replay, in another process and beside other outputs.
type Format interface {
	// Encode appends the output's messages to dst: none where the format does not tell this kind of output, or
	// several. An error is of this output alone and does not go away by trying again: the sink stops the flow with it.
	//
	// The messages belong to the caller until it passes their slice again. Encode may use the memory of Key and Value
	// of the messages between len(dst) and cap(dst), so whoever calls Encode(messages[:0], o) again and again
	// allocates nothing. Encode keeps neither o nor what it appends.
	Encode(dst []Message, o *Output) ([]Message, error)
}

// NextMessage makes dst one longer and gives the new message, empty, with the memory that its Key and Value had: for
// formats.
func NextMessage(dst []Message) ([]Message, *Message) {
	if len(dst) < cap(dst) {
		dst = dst[:len(dst)+1]
	} else {
		dst = append(dst, Message{})
	}
	m := &dst[len(dst)-1]
	*m = Message{Key: m.Key[:0], Value: m.Value[:0]}
	return dst, m
}
