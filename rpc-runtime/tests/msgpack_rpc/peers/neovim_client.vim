" Neovim as a client: g:address is HOST:PORT. Writes what it sees to g:report.
let s:seen = []
function! Heading(text) abort
  return '== ' . a:text . ' =='
endfunction
function! s:try(name, ...) abort
  try
    call add(s:seen, a:name . ' ' . string(call('rpcrequest', [s:channel, a:name] + a:000)))
  catch
    call add(s:seen, a:name . ' failed: ' . substitute(v:exception, '\n', ' ', 'g'))
  endtry
endfunction
try
  let s:channel = sockconnect('tcp', g:address, {'rpc': 1})
  call s:try('add', 2, 3)
  call s:try('Calculator.echo', {'a': [1, 2.5, v:null, 'ä', v:true]})
  call rpcnotify(s:channel, 'note', 'from Neovim')
  call s:try('notes')
  call s:try('divide', 1.0, 0.0)
  call s:try('ad')
  call s:try('ask_back', 'while my call is open')
  call s:try('add', 20, 22)
catch
  call add(s:seen, 'failed: ' . v:exception)
endtry
call writefile(s:seen, g:report)
qall!
