// What a reset needs of a page. It gives JupyterLab the command "workshop:save", which a reset sends to every page
// by way of jupyterlab-commands-toolkit: JupyterLab's own commands act on the tab in front only, and none of them
// says which documents are open. And it puts a number of the page on all requests, for workshop/stack/contents.py.
// It is small enough to need no build: this is the container that JupyterLab expects of a prebuilt extension.
(() => {
  const AREAS = ["main", "left", "right", "down"];
  const PAGE = Math.random().toString(36).slice(2);
  let shared;

  function save(context, milliseconds) {
    if (!context.model.dirty) return true;
    const late = new Promise(resolve => setTimeout(resolve, milliseconds, false));
    return Promise.race([late, context.save().then(() => true, () => false)]);
  }

  // Save those of the documents that are open here; with `close`, close what is saved. Say what was open.
  async function run(app, manager, { paths, close, milliseconds }) {
    const tabs = AREAS.flatMap(area => [...app.shell.widgets(area)]);
    const contexts = new Set(tabs.map(tab => manager.contextForWidget(tab)));
    const open = [...contexts].filter(context => context && paths.includes(context.path));
    return Promise.all(open.map(async context => {
      const path = context.path;
      const saved = await save(context, milliseconds);
      if (close && saved) {
        const shown = tabs.filter(tab => manager.contextForWidget(tab) === context);
        shown.forEach(tab => tab.dispose()); // unlike close(), this asks no question
      }
      return { path, saved };
    }));
  }

  const plugin = token => ({
    id: "workshop:documents",
    description: "Lets a reset save and close documents.",
    autoStart: true,
    requires: [token],
    activate: (app, manager) => {
      app.serviceManager.serverSettings.init.headers = { "X-Workshop-Page": PAGE };
      app.commands.addCommand("workshop:save", { label: "Save for a reset", execute: args => run(app, manager, args) });
    }
  });

  (window._JUPYTERLAB ??= {}).workshop = {
    init: scope => { shared = scope; },
    get: async () => {
      const [module] = Object.values(shared["@jupyterlab/docmanager"]);
      const { IDocumentManager } = (await module.get())();
      return () => ({ __esModule: true, default: plugin(IDocumentManager) });
    }
  };
})();
