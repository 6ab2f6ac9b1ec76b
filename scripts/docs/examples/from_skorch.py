"""
Coming from skorch
==================

skorch makes scikit-learn estimators of PyTorch modules. Where the module is a perceptron, the
whole definition becomes parameters. This is what there would be with skorch, which is not
needed here::

    class Module(nn.Module):
        def __init__(self, n_units=64, dropout=0.2):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(30, n_units), nn.LayerNorm(n_units), nn.GELU(), nn.Dropout(dropout),
                nn.Linear(n_units, n_units), nn.LayerNorm(n_units), nn.GELU(),
                nn.Dropout(dropout), nn.Linear(n_units, 2),
            )

        def forward(self, X):
            return self.layers(X)

    net = NeuralNetClassifier(
        Module, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.01, lr=0.003, batch_size=32, max_epochs=60,
        train_split=ValidSplit(5, stratified=True),
        callbacks=[
            EarlyStopping(patience=10, load_best=True),
            LRScheduler(CosineAnnealingLR, T_max=60),
            EpochScoring("roc_auc", lower_is_better=False),
        ],
    )

The same here:
"""

import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, LossCurveDisplay

warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what is wanted

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

net = DNNClassifier(
    hidden_layer_sizes=(64, 64),
    normalization="layer",
    activation="gelu",
    dropout=0.2,
    solver="adamw",
    weight_decay=0.01,
    learning_rate_init=0.003,
    learning_rate="cosine",
    batch_size=32,
    max_iter=60,
    early_stopping=True,
    n_iter_no_change=10,
    validation_fraction=StratifiedKFold(5),  # its first split
    scoring=["roc_auc", "accuracy"],  # the first decides, both are recorded
    random_state=0,
)
model = make_pipeline(StandardScaler(), net)
model.fit(X_train, y_train)
print(f"test accuracy {model.score(X_test, y_test):.3f} after {net.n_iter_} epochs")

# %%
# What skorch has in ``net.history`` is a dict of columns, ready for a data frame:
print({name: column[-1] for name, column in net.history_.items()})
display = LossCurveDisplay.from_estimator(model, quantity="both")

# %%
# Parameters of the module need no prefix but that of the pipeline's step. There is no device
# to choose, and ``X`` need not be float32.
net.set_params(max_iter=20)
grid = {"dnnclassifier__dropout": [0.0, 0.2, 0.5], "dnnclassifier__weight_decay": [0.0, 0.1]}
search = GridSearchCV(model, grid, cv=3, scoring="roc_auc").fit(X_train, y_train)
print(search.best_params_)
