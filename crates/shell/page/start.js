function(boot){
 const origin = location.protocol+"//"+location.host;
 if(!boot.allowed.includes(origin)||window.top!==window) return;
 const post = window.webkit.messageHandlers.staysail.postMessage.bind(window.webkit.messageHandlers.staysail);
 let key=boot.secret, n=0;
 const send=async(what,payload,viaPost)=>{ const t=JSON.stringify({k:key,...what})+(payload===undefined?"":"\n"+JSON.stringify(payload));
  let a = (viaPost||t.length>8192)? await (await fetch(boot.base+"/__staysail/call",{method:"POST",body:t})).text() : await post(t);
  if(a[0]==="+") return JSON.parse(a.slice(1)); if(a[0]==="@") return (await fetch(boot.base+a.slice(1))).json(); throw JSON.parse(a.slice(1)); };
 const hello=send({t:"hello"}).then(w=>{key=w.key; return w;});
 window.T={send, hello, call:(c,a,p)=>hello.then(()=>send({t:"call",i:++n,c},a,p)), ready:()=>send({t:"ready"}), report:m=>send({t:"report"},{kind:"console",level:"info",message:String(m),place:""})};
}
