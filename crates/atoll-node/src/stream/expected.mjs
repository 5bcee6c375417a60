// What the cases log in Node.js 22.14 and in 20.20, which agree.

export const expected = {
  'chunks of a flowing stream come at once, the end in a later tick': `
pushed
microtask
_read
resume
data bytes a
tick
data bytes b
pushed
ended
end
close
`,
  'a stream that is read asks for more below its mark': `
_read 4
readable 3
_read 4
got bytes ab
_read 4
got bytes ca
_read 4
got bytes bc
got bytes ab
_read 4
got bytes ca
got bytes bc
readable 0
readable 0
end
close
`,
  'reads of given sizes': `
bytes ab bytes cdefg bytes h null null bytes ijkl null
5 1 {"a":1} undefined 0  null
`,
  'text is decoded across chunks': `
resume
data \u20acA
data \ufffd
data \ufffd
end
close
e282ac78 hex
7 hiyyabc
`,
  'chunks of other types, and after the end': `
false
error TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received type number (1)
close
false
error TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received an instance of Object
close
false
error TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received type boolean (true)
close
false
error Error [ERR_STREAM_PUSH_AFTER_EOF]: stream.push() after EOF
close
resume
end
error Error [ERR_STREAM_UNSHIFT_AFTER_END_EVENT]: stream.unshift() after end event
error Error [ERR_METHOD_NOT_IMPLEMENTED]: The _read() method is not implemented
close
`,
  'destroying a readable stream': `
_destroy null
callback null
false bytes a true true true null
close
true
_destroy Error [undefined]: gone
callback Error [undefined]: gone
false bytes a true true true Error [undefined]: gone
error Error [undefined]: gone
close
true
error Error [undefined]: other
close
Error [undefined]: first
true
`,
  'pausing, resuming, and listeners that come and go': `
null false
pause
false true
resume
data bytes a
false
readable 1
resume
data bytes b
true
`,
  'a write that is answered at once, and one that is not': `
_write bytes a buffer
_write bytes bcd buffer
_write bytes e buffer
true true true
0 false
_write bytes z buffer
prefinish
true false false
microtask
a done
bcd done
tick
end done
finish
close
true true
_write bytes a buffer
true false false
5 true
true false false
microtask
tick
_write bytes bcd buffer
a done
_write bytes e buffer
bcd done
_write bytes z buffer
prefinish
end done
finish
close
true true
`,
  'what cannot be written': `
threw TypeError [ERR_STREAM_NULL_VALUES]: May not write null values to stream
threw TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received undefined
threw TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received type number (1)
threw TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or DataView. Received an instance of Object
threw TypeError [ERR_UNKNOWN_ENCODING]: Unknown encoding: none
threw TypeError [ERR_UNKNOWN_ENCODING]: Unknown encoding: none
threw TypeError [ERR_INVALID_ARG_VALUE]: The property 'options.highWaterMark' is invalid. Received -1
threw TypeError [ERR_UNKNOWN_ENCODING]: Unknown encoding: none
bytes A buffer
bytes \u0000 buffer
bytes \u00e9 buffer
`,
  'writing after the end and after destruction': `
prefinish
false
write Error [ERR_STREAM_WRITE_AFTER_END]: write after end
error Error [ERR_STREAM_WRITE_AFTER_END]: write after end
close
end Error [ERR_STREAM_DESTROYED]: Cannot call end after a stream was destroyed
prefinish
finish
close
end Error [ERR_STREAM_ALREADY_FINISHED]: Cannot call end after a stream was finished
close
write Error [ERR_STREAM_DESTROYED]: Cannot call write after a stream was destroyed
`,
  'corked writes go out together': `
1 2
_writev ["a","b"] true
_writev ["c"] undefined
_writev ["d"] undefined
prefinish
a done
b done
finish
close
`,
  'a write that fails': `
true true
a Error [undefined]: bad a
b Error [undefined]: bad a
end Error [undefined]: bad a
error Error [undefined]: bad a
close
true Error [undefined]: bad a
true true
a Error [undefined]: bad a
b Error [undefined]: bad a
end Error [undefined]: bad a
error Error [undefined]: bad a
false Error [undefined]: bad a
error Error [ERR_MULTIPLE_CALLBACK]: Callback called multiple times
close
`,
  'final comes before finish': `
at once
_final
prefinish
end null
finish
tick
close
later
_final
tick
prefinish
end null
finish
close
error
_final
error Error [undefined]: final
close
end Error [undefined]: final
tick
throws
_final
error Error [undefined]: thrown
close
end Error [undefined]: thrown
tick
twice
_final
prefinish
finish
error Error [ERR_MULTIPLE_CALLBACK]: Callback called multiple times
close
end Error [ERR_MULTIPLE_CALLBACK]: Callback called multiple times
tick
`,
  'construct comes before all else': `
_construct
resume
_write bytes a
prefinish
end null
finish
_read
data bytes x
end
_destroy null
close
_construct
resume
_destroy Error [undefined]: construct
end Error [undefined]: construct
error Error [undefined]: construct
close
`,
  'pipes wait for the slowest, and end what they fill': `
slow pipe
fast pipe
source resume
slow bytes one
source pause
fast bytes one
slow drain
source resume
slow bytes two
source pause
fast bytes two
slow drain
source resume
fast unpipe
slow bytes three
source pause
slow drain
source resume
source end
slow prefinish
slow finish
source pause
slow unpipe
source close
slow close
true false
`,
  'errors at either end of a pipe': `
sink pipe
source resume
source pause
sink unpipe
sink error Error [undefined]: sink
sink close
false false
open pipe
broken resume
broken error Error [undefined]: source
broken close
false
wrong error Error [ERR_STREAM_CANNOT_PIPE]: Cannot pipe, not readable
wrong close
`,
  iterating: `
a
b
1
true
1
false
2
3
error AbortError [ABORT_ERR]: The operation was aborted
close
bytes a
rejected Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
bytes a
rejected Error [undefined]: middle
`,
  'streams from iterables': `
["text"]
[1,2]
[3]
[5]
[6]
threw TypeError [ERR_INVALID_ARG_TYPE]: The "iterable" argument must be an instance of Iterable. Received type number (1)
threw TypeError [ERR_INVALID_ARG_TYPE]: The "iterable" argument must be an instance of Iterable. Received null
threw TypeError [ERR_INVALID_ARG_TYPE]: The "iterable" argument must be an instance of Iterable. Received an instance of Object
resume
1
error TypeError [ERR_STREAM_NULL_VALUES]: May not write null values to stream
close
resume
caught Error [undefined]: stop
finally
error Error [undefined]: stop
close
`,
  transforms: `
at once
_transform bytes a
data bytes A
_transform bytes b
data bytes B
_flush
data bytes tail
prefinish
resume
a null
end
end null
finish
close
later
_transform bytes a
resume
data bytes a
_transform bytes b
a null
data bytes b
_flush
data bytes tail
prefinish
end
end null
finish
close
error
_transform bytes a
resume
a Error [undefined]: transform
end Error [undefined]: transform
error Error [undefined]: transform
close
nothing
_transform bytes a
_transform bytes b
_flush
data bytes tail
prefinish
resume
a null
end
end null
finish
close
`,
  'a transform waits until its output is read': `
_transform bytes abc
false false false
_transform bytes def
abc done
bytes abcdef
_transform bytes ghi
def done
bytes ghi 0 0
`,
  'halves of a duplex stream': `
resume
end
false false
resume
end
prefinish
finish
close
true true
hello done
other side bytes hello
`,
  finished: `
0 end
afterwards
0 destroy Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
afterwards Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
0 error Error [undefined]: broken
afterwards Error [undefined]: broken
1 end
afterwards
1 destroy Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
afterwards Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
1 error Error [undefined]: broken
afterwards Error [undefined]: broken
2 end
afterwards
2 destroy Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
afterwards Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
2 error Error [undefined]: broken
afterwards Error [undefined]: broken
threw TypeError [ERR_INVALID_ARG_TYPE]: The "callback" argument must be of type function. Received undefined
threw TypeError [ERR_INVALID_ARG_TYPE]: The "stream" argument must be an instance of ReadableStream, WritableStream, or Stream. Received type number (1)
threw TypeError [ERR_INVALID_ARG_TYPE]: The "callback" argument must be of type function. Received type number (5)
threw TypeError [ERR_INVALID_ARG_TYPE]: The "options.signal" property must be an instance of AbortSignal. Received type number (1)
AbortError [ABORT_ERR]: The operation was aborted
false 0
`,
  'pipelines of all kinds of parts': `
pipe
gave undefined
sink bytes A
sink bytes B
unpipe
prefinish
finish
close
done undefined undefined
gave undefined
sink bytes a!
prefinish
finish
close
done undefined undefined
gave undefined
done undefined ab
pipe
gave undefined
unpipe
error Error [undefined]: source
close
done Error [undefined]: source undefined
gave undefined
done Error [undefined]: function undefined
gave undefined
done Error [undefined]: sink undefined
pipe
gave undefined
unpipe
error Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close
close
done Error [ERR_STREAM_PREMATURE_CLOSE]: Premature close undefined
threw TypeError [ERR_INVALID_ARG_TYPE]: The "streams[stream.length - 1]" property must be of type function. Received undefined
threw TypeError [ERR_INVALID_ARG_TYPE]: The "streams[stream.length - 1]" property must be of type function. Received an instance of Readable
sink bytes a
sink bytes b
fulfilled undefined
pipe
unpipe
error AbortError [ABORT_ERR]: The operation was aborted
close
rejected AbortError [ABORT_ERR]: The operation was aborted
`,
  operators: `
[2,4,6,8] [1,3]
[1,1,2,2,3,3,4,4] [3,4] [1,2]
true false 3
10 20
rejected TypeError [ERR_MISSING_ARGS]: Reduce of an empty stream requires an initial value
each 1
each 2
each 3
each 4
fulfilled undefined
threw TypeError [ERR_INVALID_ARG_TYPE]: The "fn" argument must be of type function or an instance of AsyncFunction. Received type number (1)
threw RangeError [ERR_OUT_OF_RANGE]: The value of "number" is out of range. It must be >= 0. Received -1
threw RangeError [ERR_OUT_OF_RANGE]: The value of "options.concurrency" is out of range. It must be >= 1 && <= 9007199254740991. Received 0
rejected Error [undefined]: at 1
rejected AbortError [ABORT_ERR]: The operation was aborted
[1,2,3,4,5,6,7,8] 3
`,
  'composed streams, and duplex streams of other things': `
resume
data A!
end
prefinish
finish
close
threw TypeError [ERR_MISSING_ARGS]: The "streams" argument must be specified
resume
data a
data b
end
close
resume
data later
end
close
resume
data a?
prefinish
end
finish
close
in bytes x
prefinish
resume
data out
finish
end
close
threw TypeError [ERR_INVALID_ARG_TYPE]: The "body" argument must be of type function or an instance of Blob, ReadableStream, WritableStream, Stream, Iterable, AsyncIterable, or Promise or { readable, writable } pair. Received type number (1)
true
`,
  aborting: `
error AbortError [ABORT_ERR]: The operation was aborted
close
error AbortError [ABORT_ERR]: The operation was aborted
close
a null
Error [undefined]: why true
threw TypeError [ERR_INVALID_ARG_TYPE]: The "signal" argument must be an instance of AbortSignal. Received type number (1)
threw TypeError [ERR_INVALID_ARG_TYPE]: The "stream" argument must be an instance of ReadableStream, WritableStream, or Stream. Received an instance of Object
`,
  'the class of all': `
true false true true
write a
end
threw Error [undefined]: unheard
resume
data 1
end
close
0
`,
};
